using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Spawngate.Tests;

/// <summary>That a type of one folder uses a type of another one.</summary>
/// <param name="From">The folder of the user.</param>
/// <param name="FromType">The user.</param>
/// <param name="To">The folder of the used type.</param>
/// <param name="ToType">The used type.</param>
internal sealed record TypeUse(string From, string FromType, string To, string ToType);

/// <summary>Reads who uses whom out of an assembly: every type that a type's base, fields, signatures and instructions name.</summary>
internal sealed class AssemblyUses(PEReader image) : ISignatureTypeProvider<int, object?>
{
    /// <summary>The namespace of the top folder.</summary>
    public const string Root = "Spawngate";

    private readonly MetadataReader _metadata = image.GetMetadataReader();
    private readonly HashSet<TypeDefinitionHandle> _named = [];

    public List<TypeUse> Read()
    {
        List<TypeUse> uses = [];
        foreach (var handle in _metadata.TypeDefinitions)
        {
            _named.Clear();
            ReadType(_metadata.GetTypeDefinition(handle));
            var (from, fromType) = PlaceOf(handle);
            foreach (var (to, toType) in _named.Select(PlaceOf).Where(place => place.Folder is not null && place.Folder != from))
            {
                if (from is not null)
                {
                    uses.Add(new TypeUse(from, fromType, to!, toType));
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
        foreach (var (_, operand) in Instructions.Operands(code))
        {
            Name(operand);
        }
    }

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

    /// <summary>The folder of a type by its namespace; null for what compilers add. A nested type is where the outermost one is.</summary>
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

    public int GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) => _named.Add(handle) ? 1 : 0;

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
