using System.Reflection;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using Docker.DotNet;
using Docker.DotNet.Models;

namespace Spawngate.Tests;

/// <summary>
/// The library has generated code for each message of the Engine API, and in a native executable even what is never called is laid out in
/// memory at each start. <c>UnusedModels.xml</c> has the native build leave out what none of our calls sends or reads. Here it is made anew
/// from the library and compared.
/// </summary>
[Category("House")]
internal sealed class UnusedModelsTests
{
    private const string Path = "src/Spawngate/Workloads/Docker/UnusedModels.xml";

    /// <summary>What the calls of the client send and read; what is in these comes with them.</summary>
    private static readonly Type[] Used =
    [
        typeof(AuthConfig),
        typeof(ContainerInspectResponse),
        typeof(ContainerListResponse[]),
        typeof(ContainerWaitResponse),
        typeof(CreateContainerParameters),
        typeof(CreateContainerResponse),
        typeof(IDictionary<string, IDictionary<string, bool>>),
        typeof(ImageInspectResponse),
        typeof(JSONMessage),
        typeof(Message),
        typeof(NetworkResponse),
        typeof(VersionResponse),
    ];

    [Test]
    public void What_no_call_needs_is_left_out()
    {
        var expected = Expected();
        var made = System.IO.Path.Combine(TestContext.CurrentContext.WorkDirectory, "UnusedModels.xml");
        File.WriteAllText(made, expected);
        Assert.That(File.ReadAllText(Repository.PathOf(Path)) == expected, $"{Path} should be as {made}");
    }

    private static string Expected()
    {
        var text = new StringBuilder();
        text.Append("<!-- Made by UnusedModelsTests, which says what for. -->\n<linker>\n  <assembly fullname=\"Docker.DotNet\">\n");
        var needed = new HashSet<Type>();
        foreach (var type in Used)
        {
            AddWithParts(type, needed);
        }

        // The first that knows a type is the one that is asked for it.
        string[] contexts = ["Docker.DotNet.Models.DockerModelsJsonSerializerContext", "Docker.DotNet.DockerExtendedJsonSerializerContext"];
        foreach (var context in contexts)
        {
            text.Append($"    <type fullname=\"{context}\">\n");
            foreach (var (type, method) in Makers(context))
            {
                if (!needed.Remove(type))
                {
                    var signature = $"{Cecil(method.ReturnType)} {method.Name}(System.Text.Json.JsonSerializerOptions)";
                    text.Append($"      <method signature=\"{signature.Replace("<", "&lt;").Replace(">", "&gt;")}\" body=\"remove\" />\n");
                }
            }

            text.Append("    </type>\n");
        }

        Assert.That(needed.Where(static type => type.IsArray || type.Namespace == typeof(Message).Namespace), Is.Empty);
        return text.Append("  </assembly>\n</linker>\n").ToString();
    }

    private static IEnumerable<(Type Type, MethodInfo Method)> Makers(string context) =>
        from method in typeof(DockerClient)
            .Assembly.GetType(context, throwOnError: true)!
            .GetMethods(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where method.Name.StartsWith("Create_", StringComparison.Ordinal)
        where method.ReturnType.GetGenericTypeDefinition() == typeof(JsonTypeInfo<>)
        orderby method.Name
        select (method.ReturnType.GetGenericArguments()[0], method);

    private static void AddWithParts(Type type, HashSet<Type> all)
    {
        if (!all.Add(type))
        {
            return;
        }

        if (type.IsArray)
        {
            AddWithParts(type.GetElementType()!, all);
        }

        foreach (var argument in type.GetGenericArguments())
        {
            AddWithParts(argument, all);
        }

        foreach (var property in type.Namespace == typeof(Message).Namespace ? type.GetProperties() : [])
        {
            AddWithParts(property.PropertyType, all);
        }
    }

    /// <summary>A type as the native compiler writes it.</summary>
    private static string Cecil(Type type)
    {
        if (type.IsArray)
        {
            return Cecil(type.GetElementType()!) + "[]";
        }

        var name = (type.IsGenericType ? type.GetGenericTypeDefinition() : type).FullName!.Replace('+', '/');
        return type.IsGenericType ? $"{name}<{string.Join(',', type.GetGenericArguments().Select(Cecil))}>" : name;
    }
}
