using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using Spawngate.Runtime;

namespace Spawngate.Tests;

/// <summary>
/// Each folder of src/Spawngate knows only those below it, so none can be part of a circle. It is read from the compiled assembly, in
/// which every use of a type stands, and from the <c>using</c> lines, because constants leave no trace in an assembly.
/// <code>
///   folder ──its types' bases, fields, signatures, bodies──▶ types of other folders ──▶ must stand further up in the list below
/// </code>
/// </summary>
[TestFixture]
internal sealed class Layers
{
    private const string Root = "Spawngate";

    /// <summary>The folders of src/Spawngate from the lowest to the highest, as docs/ARCHITECTURE.md draws them.</summary>
    internal static readonly string[] Order =
    [
        "Runtime",
        "Logging",
        "Platform",
        "Transport",
        "Telemetry/History",
        "Telemetry",
        "Config",
        "Overload",
        "Upstreams",
        "Workloads",
        "Workloads/Processes",
        "Workloads/Docker",
        "Backends/Probing",
        "Backends",
        "Sessions",
        "Routing",
        "Forwarding",
        "Clients/Shared",
        "Clients/Http1",
        "Clients/Http2",
        "Clients",
        "Admin",
        "Supervision",
        "Hello",
        "Composition",
        "Commands",
        "",
    ];

    [Test]
    public void Every_folder_knows_only_those_below_it() =>
        Assert.That(string.Join('\n', Backward(Uses(typeof(CoarseClock).Assembly.Location), Order)), Is.Empty);

    [Test]
    public void No_using_points_upwards()
    {
        var uses =
            from file in Directory.EnumerateFiles(Repository.PathOf("src/Spawngate"), "*.cs", SearchOption.AllDirectories)
            let folder = Path.GetRelativePath(Repository.PathOf("src/Spawngate"), Path.GetDirectoryName(file)!).Replace('\\', '/')
            from Match match in Regex.Matches(File.ReadAllText(file), @"^using (?:static )?Spawngate\.([\w.]+);", RegexOptions.Multiline)
            where !match.Groups[1].Value.StartsWith("Protocols", StringComparison.Ordinal)
            select new Use(folder == "." ? "" : folder, Path.GetFileName(file), match.Groups[1].Value.Replace('.', '/'), "(using)");
        Assert.That(string.Join('\n', Backward(uses, Order)), Is.Empty);
    }

    [Test]
    public void Every_folder_has_its_place_and_its_namespace()
    {
        var folders = Directory
            .EnumerateFiles(Repository.PathOf("src/Spawngate"), "*.cs", SearchOption.AllDirectories)
            .Select(file => (File: file, Folder: Path.GetRelativePath(Repository.PathOf("src/Spawngate"), Path.GetDirectoryName(file)!)))
            .Where(each => !Regex.IsMatch(each.Folder, "(^|/)(bin|obj)(/|$)"))
            .Select(each => (each.File, Folder: each.Folder == "." ? "" : each.Folder.Replace('\\', '/')))
            .ToList();
        Assert.That(folders.Select(static each => each.Folder).Distinct(), Is.EquivalentTo(Order));
        Assert.That(
            folders.Where(each =>
                each.Folder != ""
                && !Regex.IsMatch(File.ReadAllText(each.File), $@"(?m)^namespace {Regex.Escape(NamespaceOf(each.Folder))};")
            ),
            Is.Empty
        );
    }

    [Test]
    public void The_architecture_draws_the_same_order()
    {
        var table = File.ReadAllText(Repository.PathOf("docs/ARCHITECTURE.md"));
        var drawn = Regex
            .Matches(table, @"^\| `src/Spawngate/([\w/]+)/?` \|", RegexOptions.Multiline)
            .Select(static match => match.Groups[1].Value);
        Assert.That(drawn, Is.EqualTo(Order.Where(static folder => folder != "").Reverse()));
    }

    [Test]
    public void A_use_that_points_upwards_is_found()
    {
        var uses = Uses(typeof(CoarseClock).Assembly.Location).ToList();
        var upside = Order.Reverse().ToArray();
        Assert.That(Backward(uses, Order), Is.Empty);
        Assert.That(Backward(uses, upside).Count(), Is.GreaterThan(100), "every use that is right is wrong the other way round");
        Assert.That(
            uses.Select(static use => use.To),
            Is.SupersetOf(["Runtime", "Platform", "Transport", "Backends"]),
            "bases, fields, signatures and bodies are read"
        );
    }

    private static string NamespaceOf(string folder) => folder == "" ? Root : $"{Root}.{folder.Replace('/', '.')}";

    private static IEnumerable<string> Backward(IEnumerable<Use> uses, string[] order) =>
        uses.Where(use => use.From != use.To && Array.IndexOf(order, use.To) >= Array.IndexOf(order, use.From))
            .GroupBy(static use => (use.From, use.To))
            .Select(static pair =>
                $"{pair.Key.From} knows {pair.Key.To}, which is above it: "
                + string.Join(", ", pair.Select(static use => $"{use.FromType} uses {use.ToType}").Distinct().Take(4))
            );

    private static IEnumerable<Use> Uses(string assemblyPath)
    {
        using var file = File.OpenRead(assemblyPath);
        using var image = new PEReader(file);
        return new AssemblyUses(image).Read();
    }

    private sealed record Use(string From, string FromType, string To, string ToType);

    /// <summary>Reads who uses whom out of an assembly: every type that a type's base, fields, signatures and instructions name.</summary>
    private sealed class AssemblyUses(PEReader image) : ISignatureTypeProvider<int, object?>
    {
        private static readonly Dictionary<int, OpCode> OpCodesByValue = typeof(OpCodes)
            .GetFields()
            .Select(static field => (OpCode)field.GetValue(null)!)
            .ToDictionary(static code => (int)(ushort)code.Value);

        private readonly MetadataReader _metadata = image.GetMetadataReader();
        private readonly HashSet<TypeDefinitionHandle> _named = [];

        public List<Use> Read()
        {
            List<Use> uses = [];
            foreach (var handle in _metadata.TypeDefinitions)
            {
                _named.Clear();
                ReadType(_metadata.GetTypeDefinition(handle));
                var (from, fromType) = PlaceOf(handle);
                foreach (var (to, toType) in _named.Select(PlaceOf).Where(place => place.Folder is not null && place.Folder != from))
                {
                    if (from is not null)
                    {
                        uses.Add(new Use(from, fromType, to!, toType));
                    }
                }
            }

            return uses;
        }

        private void ReadType(TypeDefinition type)
        {
            Name(type.BaseType);
            foreach (var implemented in type.GetInterfaceImplementations())
            {
                Name(_metadata.GetInterfaceImplementation(implemented).Interface);
            }

            foreach (var field in type.GetFields())
            {
                _metadata.GetFieldDefinition(field).DecodeSignature(this, null);
            }

            foreach (var method in type.GetMethods())
            {
                ReadMethod(_metadata.GetMethodDefinition(method));
            }
        }

        private void ReadMethod(MethodDefinition method)
        {
            method.DecodeSignature(this, null);
            if (method.RelativeVirtualAddress == 0)
            {
                return;
            }

            var body = image.GetMethodBody(method.RelativeVirtualAddress);
            if (!body.LocalSignature.IsNil)
            {
                _metadata.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(this, null);
            }

            ReadInstructions(body.GetILReader());
        }

        private void ReadInstructions(BlobReader code)
        {
            while (code.RemainingBytes > 0)
            {
                int value = code.ReadByte();
                value = value == 0xFE ? 0xFE00 | code.ReadByte() : value;
                switch (OpCodesByValue[value].OperandType)
                {
                    case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                        Name(MetadataTokens.EntityHandle(code.ReadInt32()));
                        break;
                    case OperandType.InlineSwitch:
                        var targets = code.ReadInt32();
                        code.Offset += 4 * targets;
                        break;
                    case var operand:
                        code.Offset += BytesOf(operand);
                        break;
                }
            }
        }

        private static int BytesOf(OperandType operand) =>
            operand switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                _ => 4,
            };

        private void Name(EntityHandle handle)
        {
            switch (handle.Kind)
            {
                case HandleKind.TypeDefinition when !handle.IsNil:
                    _named.Add((TypeDefinitionHandle)handle);
                    break;
                case HandleKind.TypeSpecification:
                    _metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(this, null);
                    break;
                case HandleKind.MethodDefinition:
                    _named.Add(_metadata.GetMethodDefinition((MethodDefinitionHandle)handle).GetDeclaringType());
                    break;
                case HandleKind.FieldDefinition:
                    _named.Add(_metadata.GetFieldDefinition((FieldDefinitionHandle)handle).GetDeclaringType());
                    break;
                case HandleKind.MemberReference:
                    Name(_metadata.GetMemberReference((MemberReferenceHandle)handle).Parent);
                    break;
                case HandleKind.MethodSpecification:
                    var method = _metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                    Name(method.Method);
                    method.DecodeSignature(this, null);
                    break;
            }
        }

        /// <summary>The folder of a type by its namespace; null for what compilers add. A nested type is where its outermost is.</summary>
        private (string? Folder, string Type) PlaceOf(TypeDefinitionHandle handle)
        {
            var type = _metadata.GetTypeDefinition(handle);
            while (!type.GetDeclaringType().IsNil)
            {
                type = _metadata.GetTypeDefinition(type.GetDeclaringType());
            }

            var space = _metadata.GetString(type.Namespace);
            var folder =
                space == Root ? ""
                : space.StartsWith(Root + ".", StringComparison.Ordinal) ? space[(Root.Length + 1)..].Replace('.', '/')
                : null;
            return (folder, _metadata.GetString(type.Name));
        }

        public int GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) =>
            _named.Add(handle) ? 1 : 0;

        public int GetTypeFromSpecification(MetadataReader reader, object? context, TypeSpecificationHandle handle, byte rawTypeKind) =>
            reader.GetTypeSpecification(handle).DecodeSignature(this, context);

        public int GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => 0;

        public int GetArrayType(int elementType, ArrayShape shape) => 0;

        public int GetByReferenceType(int elementType) => 0;

        public int GetFunctionPointerType(MethodSignature<int> signature) => 0;

        public int GetGenericInstantiation(int genericType, System.Collections.Immutable.ImmutableArray<int> typeArguments) => 0;

        public int GetGenericMethodParameter(object? context, int index) => 0;

        public int GetGenericTypeParameter(object? context, int index) => 0;

        public int GetModifiedType(int modifier, int unmodifiedType, bool isRequired) => 0;

        public int GetPinnedType(int elementType) => 0;

        public int GetPointerType(int elementType) => 0;

        public int GetPrimitiveType(PrimitiveTypeCode typeCode) => 0;

        public int GetSZArrayType(int elementType) => 0;
    }
}
