using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Spawngate.Tests;

/// <summary>
/// Counts the bytes of everything that can be reached from an object, whatever else the process holds: the size of the whole heap is
/// never that of one thing, and tests that ran before leave garbage and caches in it.
/// </summary>
internal static class RetainedBytes
{
    private const int ObjectHead = 16;
    private const int ArrayHead = 24;
    private const int StringHead = 22;

    /// <summary>
    /// The bytes of these objects and of what they refer to. What belongs to the runtime and is there once (types, members) is left out.
    /// </summary>
    public static long Of(params object[] roots)
    {
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var open = new Stack<object>();
        long bytes = 0;
        void Reach(object? value)
        {
            if (value is not (null or MemberInfo or Assembly or Pointer) && seen.Add(value))
            {
                open.Push(value);
            }
        }

        Array.ForEach(roots, Reach);
        while (open.TryPop(out object? next))
        {
            bytes += SizeOf(next);
            foreach (object? inner in References(next))
            {
                Reach(inner);
            }
        }

        return bytes;
    }

    private static long SizeOf(object value) =>
        value switch
        {
            string text => Aligned(StringHead + (2L * text.Length)),
            Array array => Aligned(ArrayHead + ((long)array.Length * SizeOf(array.GetType().GetElementType()!))),
            _ => Aligned(ObjectHead + Fields(value.GetType()).Sum(static field => (long)SizeOf(field.FieldType))),
        };

    /// <summary>What one field or element of a type takes where it stands.</summary>
    private static int SizeOf(Type type) => type.IsValueType ? RuntimeHelpers.SizeOf(type.TypeHandle) : IntPtr.Size;

    private static IEnumerable<object?> References(object value) =>
        value switch
        {
            string => [],
            Array array => HasReferences(array.GetType().GetElementType()!) ? ReferencesIn(array) : [],
            _ => ReferencesInFields(value),
        };

    private static IEnumerable<object?> ReferencesIn(IEnumerable elements)
    {
        foreach (object? element in elements)
        {
            foreach (object? inner in element is ValueType ? ReferencesInFields(element) : [element])
            {
                yield return inner;
            }
        }
    }

    /// <summary>References in the fields of an object or value, and in those of the values in it.</summary>
    private static IEnumerable<object?> ReferencesInFields(object value) =>
        from field in Fields(value.GetType())
        where HasReferences(field.FieldType)
        let held = field.GetValue(value)
        from inner in field.FieldType.IsValueType ? ReferencesInFields(held!) : [held]
        select inner;

    private static bool HasReferences(Type type) =>
        !type.IsPointer
        && (!type.IsValueType || (!type.IsPrimitive && !type.IsEnum && Fields(type).Any(static field => HasReferences(field.FieldType))));

    private static IEnumerable<FieldInfo> Fields(Type type)
    {
        for (Type? each = type; each is not null; each = each.BaseType)
        {
            foreach (
                var field in each.GetFields(
                    BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly
                )
            )
            {
                yield return field;
            }
        }
    }

    private static long Aligned(long bytes) => (bytes + 7) / 8 * 8;
}
