using System.Runtime.InteropServices;

namespace Spawngate.Config;

/// <summary>
/// The bytes of a file, outside the collected heap: as arrays they would be large objects, which make the collector go through the whole
/// heap while requests wait.
/// </summary>
/// <param name="chunkBytes">How much is read at once.</param>
/// <param name="bytesMax">How much a file may hold.</param>
internal sealed unsafe class FileContent(int chunkBytes, int bytesMax) : IDisposable
{
    private byte* _bytes;
    private int _capacity;
    private int _length;

    /// <summary>What was read; not to be used after <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> Bytes => new(_bytes, _length);

    /// <summary>Reads to the end. The length is not asked for first: a pipe or device has none, and a file may grow meanwhile.</summary>
    /// <returns>False when there is more than allowed.</returns>
    public bool TryRead(FileStream file)
    {
        int count;
        do
        {
            Reserve();
            count = file.Read(new Span<byte>(_bytes + _length, chunkBytes));
            _length += count;
        } while (count > 0 && _length <= bytesMax);
        return _length <= bytesMax;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_bytes);
        _bytes = null;
        _capacity = _length = 0;
    }

    private void Reserve()
    {
        if (_capacity - _length < chunkBytes)
        {
            _capacity = Math.Max(2 * _capacity, _length + chunkBytes);
            _bytes = (byte*)NativeMemory.Realloc(_bytes, (nuint)_capacity);
        }
    }
}
