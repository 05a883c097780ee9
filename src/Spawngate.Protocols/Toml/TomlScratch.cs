using System.Runtime.InteropServices;

namespace Spawngate.Protocols.Toml;

/// <summary>
/// Characters outside the collected heap, for the text of a file while it is read: a buffer of that size would be a large object, and large
/// objects make the collector go through the whole heap.
/// </summary>
internal readonly unsafe ref struct TomlScratch
{
    private readonly char* _chars;
    private readonly int _length;

    /// <summary>Makes room for so many characters.</summary>
    public TomlScratch(int length)
    {
        _chars = (char*)NativeMemory.Alloc((nuint)length, sizeof(char));
        _length = length;
    }

    /// <summary>The characters, not to be used after <see cref="Dispose"/>.</summary>
    public Span<char> Chars => new(_chars, _length);

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => NativeMemory.Free(_chars);
}
