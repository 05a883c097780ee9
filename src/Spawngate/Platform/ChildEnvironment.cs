using System.Collections;
using System.Text;

namespace Spawngate.Platform;

/// <summary>
/// The environment children inherit, as bytes, because an environment need not be valid UTF-8. It is taken from how this
/// process was executed, so what the program sets for its own runtime later does not leak into children.
/// </summary>
internal sealed class ChildEnvironment
{
    private readonly byte[][] _inherited;

    /// <summary>Uses the given <c>NAME=value</c> entries.</summary>
    public ChildEnvironment(IEnumerable<byte[]> entries) => _inherited = [.. entries];

    /// <summary>
    /// Takes the environment this process was executed with. Call it before anything changes the environment: where the
    /// kernel does not show the original, the current one is taken. What is meant for this process alone is left out
    /// (<see cref="OwnVariables"/>).
    /// </summary>
    public static ChildEnvironment Capture()
    {
        if (Libc.IsLinux)
        {
            try
            {
                return Of(Split(File.ReadAllBytes("/proc/self/environ")));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // No /proc here: the runtime's copy serves.
            }
        }

        return Of(FromRuntime());
    }

    /// <summary>Of an environment, what children inherit.</summary>
    public static ChildEnvironment Of(IEnumerable<byte[]> entries) =>
        new(entries.Where(entry => !OwnVariables.Withheld.Contains(NameOf(entry))));

    /// <summary>
    /// The inherited entries, without those that <paramref name="added"/> names, then the added ones in order; of equal names the last
    /// wins.
    /// </summary>
    public IReadOnlyList<byte[]> With(IEnumerable<KeyValuePair<string, string>> added)
    {
        var values = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, string value) in added)
        {
            values.Remove(name);
            values.Add(name, value);
        }

        var result = new List<byte[]>(_inherited.Length + values.Count);
        foreach (byte[] entry in _inherited)
        {
            if (!values.ContainsKey(NameOf(entry)))
            {
                result.Add(entry);
            }
        }

        foreach ((string name, string value) in values)
        {
            result.Add(Encoding.UTF8.GetBytes($"{name}={value}"));
        }

        return result;
    }

    /// <summary>The value of <paramref name="name"/> among <paramref name="entries"/>, or null.</summary>
    public static string? Find(IReadOnlyList<byte[]> entries, string name)
    {
        byte[] prefix = Encoding.UTF8.GetBytes(name + "=");
        foreach (byte[] entry in entries)
        {
            if (entry.AsSpan().StartsWith(prefix))
            {
                return Encoding.UTF8.GetString(entry, prefix.Length, entry.Length - prefix.Length);
            }
        }

        return null;
    }

    private static string NameOf(byte[] entry)
    {
        // A name may begin with '=' on some systems; searching from the second byte keeps it whole.
        int equals = entry.Length > 1 ? entry.AsSpan(1).IndexOf((byte)'=') : -1;
        return Encoding.UTF8.GetString(equals < 0 ? entry : entry.AsSpan(0, equals + 1));
    }

    private static IEnumerable<byte[]> Split(byte[] block)
    {
        int start = 0;
        while (start < block.Length)
        {
            int length = block.AsSpan(start).IndexOf((byte)0);
            length = length < 0 ? block.Length - start : length;
            if (length > 0)
            {
                yield return block.AsSpan(start, length).ToArray();
            }

            start += length + 1;
        }
    }

    private static IEnumerable<byte[]> FromRuntime()
    {
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            yield return Encoding.UTF8.GetBytes($"{entry.Key}={entry.Value}");
        }
    }
}
