using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>
/// Reads from an assembly which members were written by hand, and which members the code of each refers to. Names are written out, so that
/// those of several assemblies can be compared.
/// </summary>
internal sealed class AssemblyMembers : ISignatureTypeProvider<string, object?>
{
    private static readonly string[] Synthesised =
    [
        "CompilerGeneratedAttribute",
        "GeneratedCodeAttribute",
        "InlineArrayAttribute",
        "ModuleInitializerAttribute",
    ];

    private readonly PEReader _image;
    private readonly MetadataReader _metadata;

    /// <summary>Reads an assembly.</summary>
    public AssemblyMembers(PEReader image)
    {
        _image = image;
        _metadata = image.GetMetadataReader();
        foreach (var handle in _metadata.TypeDefinitions)
        {
            ReadType(handle);
        }
    }

    /// <summary>What was written by hand, could be left out if nobody used it, and is no override or implementation of something.</summary>
    public List<string> Written { get; } = [];

    /// <summary>Who refers to what.</summary>
    public List<(string From, string To)> Uses { get; } = [];

    private void ReadType(TypeDefinitionHandle handle)
    {
        var type = _metadata.GetTypeDefinition(handle);
        string name = NameOf(handle);
        bool isWritten = !name.Contains('<') && !Has(type.GetCustomAttributes(), Synthesised);
        if (isWritten && !IsTableOfConstants(type) && !type.GetMethods().Any(IsEntryPoint))
        {
            Written.Add(name);
        }

        UseType(name, type.BaseType);
        foreach (var implemented in type.GetInterfaceImplementations())
        {
            UseType(name, _metadata.GetInterfaceImplementation(implemented).Interface);
        }

        var implementations = type.GetMethodImplementations()
            .Select(each => _metadata.GetMethodImplementation(each).MethodBody)
            .ToHashSet();
        foreach (var method in type.GetMethods())
        {
            ReadMethod(type, name, method, isWritten && !implementations.Contains(method));
        }

        foreach (var field in type.GetFields())
        {
            var definition = _metadata.GetFieldDefinition(field);
            string fieldName = _metadata.GetString(definition.Name);
            string fieldType = definition.DecodeSignature(this, null);
            Uses.Add((OwnerOf(name, fieldName), fieldType));
            if (
                isWritten
                && !fieldName.Contains('<')
                && !definition.Attributes.HasFlag(FieldAttributes.Literal)
                && !definition.Attributes.HasFlag(FieldAttributes.SpecialName)
                && !Has(definition.GetCustomAttributes(), Synthesised)
            )
            {
                Written.Add($"{name}::{fieldName}");
            }
        }
    }

    /// <summary>Constants leave no trace where they are used.</summary>
    private bool IsTableOfConstants(TypeDefinition type) =>
        type.GetFields().Count > 0
        && type.GetMethods().Count == 0
        && type.GetFields().All(field => _metadata.GetFieldDefinition(field).Attributes.HasFlag(FieldAttributes.Literal));

    private void ReadMethod(TypeDefinition type, string typeName, MethodDefinitionHandle handle, bool isWritten)
    {
        var method = _metadata.GetMethodDefinition(handle);
        string name = _metadata.GetString(method.Name);
        var signature = method.DecodeSignature(this, null);
        string key = KeyOf(typeName, name, signature);
        if (isWritten && IsOptional(type, method, name))
        {
            Written.Add(key);
        }

        string owner = typeName.Contains('<') || name.Contains('<') ? OwnerOf(typeName, name) : key;
        foreach (string used in signature.ParameterTypes.Append(signature.ReturnType))
        {
            Uses.Add((owner, used));
        }

        if (method.RelativeVirtualAddress == 0)
        {
            return;
        }

        foreach (var (code, operand) in Instructions.Operands(_image.GetMethodBody(method.RelativeVirtualAddress).GetILReader()))
        {
            // What is only written is not used.
            if (code.Value != OpCodes.Stfld.Value && code.Value != OpCodes.Stsfld.Value)
            {
                Use(owner, operand);
            }
        }
    }

    /// <summary>False for what is there because of something else: constructors, overrides, operators, what records have.</summary>
    private bool IsOptional(TypeDefinition type, MethodDefinition method, string name)
    {
        bool isAccessor = name.StartsWith("get_", StringComparison.Ordinal) || name.StartsWith("set_", StringComparison.Ordinal);
        bool isOverride =
            method.Attributes.HasFlag(MethodAttributes.Virtual)
            && (!method.Attributes.HasFlag(MethodAttributes.NewSlot) || method.Attributes.HasFlag(MethodAttributes.Final));
        return !name.Contains('<')
            && !name.Contains('.')
            && !name.StartsWith("op_", StringComparison.Ordinal)
            && !isOverride
            && !(isAccessor && IsOfRecordHeader(type, name))
            && !(!isAccessor && Has(method.GetCustomAttributes(), Synthesised))
            && !Has(method.GetCustomAttributes(), ["GeneratedCodeAttribute"])
            && !method.Attributes.HasFlag(MethodAttributes.PinvokeImpl)
            && name is not ("get_EqualityContract" or "Main");
    }

    private bool IsEntryPoint(MethodDefinitionHandle method) =>
        MetadataTokens.GetToken(method) == _image.PEHeaders.CorHeader!.EntryPointTokenOrRelativeVirtualAddress;

    /// <summary>True for the setter of a property that stands in the header of a record.</summary>
    private bool IsOfRecordHeader(TypeDefinition type, string accessor) =>
        accessor.StartsWith("set_", StringComparison.Ordinal)
        && type.GetMethods()
            .Select(_metadata.GetMethodDefinition)
            .Where(method => _metadata.GetString(method.Name) is ".ctor")
            .SelectMany(method => method.GetParameters())
            .Any(parameter => _metadata.GetString(_metadata.GetParameter(parameter).Name) == accessor[4..]);

    private void Use(string owner, EntityHandle handle)
    {
        switch (handle.Kind)
        {
            case HandleKind.MethodDefinition:
                var method = _metadata.GetMethodDefinition((MethodDefinitionHandle)handle);
                string declaring = NameOf(method.GetDeclaringType());
                Uses.Add((owner, declaring));
                Uses.Add((owner, KeyOf(declaring, _metadata.GetString(method.Name), method.DecodeSignature(this, null))));
                break;
            case HandleKind.FieldDefinition:
                var field = _metadata.GetFieldDefinition((FieldDefinitionHandle)handle);
                Uses.Add((owner, NameOf(field.GetDeclaringType())));
                Uses.Add((owner, $"{NameOf(field.GetDeclaringType())}::{_metadata.GetString(field.Name)}"));
                break;
            case HandleKind.MemberReference:
                UseReference(owner, _metadata.GetMemberReference((MemberReferenceHandle)handle));
                break;
            case HandleKind.MethodSpecification:
                var specification = _metadata.GetMethodSpecification((MethodSpecificationHandle)handle);
                Use(owner, specification.Method);
                foreach (string argument in specification.DecodeSignature(this, null))
                {
                    Uses.Add((owner, argument));
                }

                break;
            default:
                UseType(owner, handle);
                break;
        }
    }

    private void UseReference(string owner, MemberReference member)
    {
        string parent = NameOf(member.Parent);
        string name = _metadata.GetString(member.Name);
        UseType(owner, member.Parent);
        Uses.Add(
            member.GetKind() == MemberReferenceKind.Method
                ? (owner, KeyOf(Bare(parent), name, member.DecodeMethodSignature(this, null)))
                : (owner, $"{Bare(parent)}::{name}")
        );
    }

    private void UseType(string owner, EntityHandle handle)
    {
        if (!handle.IsNil)
        {
            Uses.Add((owner, NameOf(handle)));
        }
    }

    private static string KeyOf(string type, string name, MethodSignature<string> signature) =>
        $"{type}::{name}({string.Join(", ", signature.ParameterTypes.Select(Bare))})";

    /// <summary>The method that a lambda, local function, iterator or async method was written in, as far as its name says.</summary>
    private static string OwnerOf(string type, string member)
    {
        int nested = type.IndexOf("+<", StringComparison.Ordinal);
        string outer = nested < 0 ? type : type[..nested];
        var written = Regex.Match(nested < 0 ? member : type[nested..] + "::" + member, "<(\\w+)>");
        return written.Success ? $"{outer}::{written.Groups[1].Value}" : outer;
    }

    private bool Has(CustomAttributeHandleCollection attributes, string[] names) =>
        attributes.Any(each => names.Any(name => NameOf(ConstructorParent(_metadata.GetCustomAttribute(each))).EndsWith(name)));

    private EntityHandle ConstructorParent(CustomAttribute attribute) =>
        attribute.Constructor.Kind == HandleKind.MemberReference
            ? _metadata.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent
            : _metadata.GetMethodDefinition((MethodDefinitionHandle)attribute.Constructor).GetDeclaringType();

    private string NameOf(EntityHandle handle) =>
        handle.Kind switch
        {
            HandleKind.TypeDefinition => GetTypeFromDefinition(_metadata, (TypeDefinitionHandle)handle, 0),
            HandleKind.TypeReference => GetTypeFromReference(_metadata, (TypeReferenceHandle)handle, 0),
            HandleKind.TypeSpecification => _metadata.GetTypeSpecification((TypeSpecificationHandle)handle).DecodeSignature(this, null),
            HandleKind.MethodDefinition => NameOf(_metadata.GetMethodDefinition((MethodDefinitionHandle)handle).GetDeclaringType()),
            _ => "",
        };

    /// <summary>A type without its arguments, and without what makes it an array, a pointer or a reference.</summary>
    public static string Bare(string name) => name.Split('[')[0].TrimEnd('*', '&');

    /// <summary>All types that the name of a type is made of.</summary>
    public static IEnumerable<string> Parts(string name) => name.Split('[', ']', ',', '*', '&').Where(static part => part != "");

    public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind)
    {
        var type = reader.GetTypeDefinition(handle);
        string name = reader.GetString(type.Name);
        return type.GetDeclaringType() is { IsNil: false } outer
            ? $"{GetTypeFromDefinition(reader, outer, 0)}+{name}"
            : $"{reader.GetString(type.Namespace)}.{name}";
    }

    public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind)
    {
        var type = reader.GetTypeReference(handle);
        string name = reader.GetString(type.Name);
        return type.ResolutionScope.Kind == HandleKind.TypeReference
            ? $"{GetTypeFromReference(reader, (TypeReferenceHandle)type.ResolutionScope, 0)}+{name}"
            : $"{reader.GetString(type.Namespace)}.{name}";
    }

    public string GetTypeFromSpecification(MetadataReader reader, object? context, TypeSpecificationHandle handle, byte rawTypeKind) =>
        reader.GetTypeSpecification(handle).DecodeSignature(this, context);

    public string GetArrayType(string elementType, ArrayShape shape) => $"{elementType}[{shape.Rank}]";

    public string GetByReferenceType(string elementType) => $"{elementType}&";

    public string GetFunctionPointerType(MethodSignature<string> signature) =>
        $"*[{string.Join(",", signature.ParameterTypes.Append(signature.ReturnType))}]";

    public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) =>
        $"{genericType}[{string.Join(",", typeArguments)}]";

    public string GetGenericMethodParameter(object? context, int index) => $"!!{index}";

    public string GetGenericTypeParameter(object? context, int index) => $"!{index}";

    public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) => unmodifiedType;

    public string GetPinnedType(string elementType) => elementType;

    public string GetPointerType(string elementType) => $"{elementType}*";

    public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode.ToString();

    public string GetSZArrayType(string elementType) => $"{elementType}[]";
}
