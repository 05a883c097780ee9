using System.Text;

namespace TestBackend;

/// <summary>Output as fast as the pipe takes it, to show that the gateway always drains it.</summary>
internal static class Chatter
{
    /// <summary>Writes numbered lines of the given length, many per write.</summary>
    public static void Write(Stream stream, long lines, int lineLength, string word)
    {
        var text = new StringBuilder();
        for (long i = 1; i <= lines; i++)
        {
            text.Append($"{word} {i} ".PadRight(lineLength, 'x')).Append('\n');
            if (text.Length > 64 * 1024 || i == lines)
            {
                stream.Write(Encoding.UTF8.GetBytes(text.ToString()));
                text.Clear();
            }
        }

        stream.Flush();
    }

    /// <summary>Writes one endless line.</summary>
    public static void WriteWithoutEnd(Stream stream, int bytes)
    {
        byte[] block = new byte[Math.Min(bytes, 64 * 1024)];
        block.AsSpan().Fill((byte)'y');
        for (int left = bytes; left > 0; left -= block.Length)
        {
            stream.Write(block, 0, Math.Min(left, block.Length));
        }

        stream.Flush();
    }
}
