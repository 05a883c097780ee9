using Docker.DotNet.Models;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// Tells the containers that a gateway has created from those that only carry its labels. A container inherits all labels of its image, and
/// an image has ours if it was made of a container of ours (<c>docker commit</c>), or of such an image, or if somebody wants us to remove
/// other people's containers. What gives it away:
/// <list type="bullet">
/// <item><see cref="ContainerLabels.Run"/> is a random name, new for each container that we create and chosen before it. No image can have
/// had it: a container whose image has the same one inherited it, and ours has another one even where its image carries our labels.</item>
/// <item>
/// <see cref="ContainerLabels.Container"/> is the name that we gave it. A copy that some tool makes of it, labels and all, has another one.
/// </item>
/// </list>
/// </summary>
internal static class OwnContainers
{
    /// <summary>Why a container that carries our labels is not taken for ours; null when it is ours.</summary>
    public static Task<string?> DoubtAsync(EngineClient client, ContainerListResponse container, CancellationToken cancel) =>
        DoubtAsync(client, container.Names, container.ImageID, container.Labels, cancel);

    /// <summary>The same for one that was inspected.</summary>
    public static Task<string?> DoubtAsync(EngineClient client, ContainerInspectResponse container, CancellationToken cancel) =>
        DoubtAsync(client, [container.Name], container.Image, container.Config?.Labels, cancel);

    private static async Task<string?> DoubtAsync(
        EngineClient client,
        IEnumerable<string?>? all,
        string? imageId,
        IDictionary<string, string>? labels,
        CancellationToken cancel
    )
    {
        List<string> names = [.. (all ?? []).OfType<string>().Where(static name => name.Length > 0)];
        string? runId = ContainerLabels.Find(labels, ContainerLabels.Run);
        if (runId is null)
        {
            return "it has no label " + ContainerLabels.Run;
        }

        // Gateways of before this label was there have left it out. A container that is half removed may have no name any more.
        string? made = ContainerLabels.Find(labels, ContainerLabels.Container);
        if (made is not null && names.Count > 0 && !names.Any(name => name.TrimStart('/') == made))
        {
            return $"its labels are those of a container {made}";
        }

        if (string.IsNullOrEmpty(imageId))
        {
            return "the engine does not say of which image it is";
        }

        EngineReply<ImageInspectResponse> image = await client.InspectImageAsync(imageId, cancel).ConfigureAwait(false);
        if (image.Value is { } known)
        {
            return ContainerLabels.Find(known.Config?.Labels, ContainerLabels.Run) == runId ? "its labels are those of its image" : null;
        }

        // An image that was removed by force from under its container tells nothing: then the name must do, and has to be there.
        return image.Error!.IsNotFound && made is not null && names.Count > 0 ? null : $"its image cannot be inspected: {image.Error}";
    }
}
