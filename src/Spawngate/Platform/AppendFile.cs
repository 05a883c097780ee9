using System.Runtime.Versioning;

namespace Spawngate.Platform;

/// <summary>
/// A file, pipe or device that lines are appended to, or standard output. Appending is the kernel's (<c>O_APPEND</c>), so that a file which
/// is cut or shared meanwhile stays whole; a pipe without a reader is an error and not a wait. Used by one thread at a time.
/// </summary>
internal sealed class AppendFile : IDisposable
{
    private const int StdoutDescriptor = 1;
    private const int NoDescriptor = -1;

    /// <summary>Mode of a file that is made, 0640: it names the clients, so not everybody may read it.</summary>
    private const int MadeMode = (int)(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);

    private static readonly int Appending = Libc.O_WRONLY | Libc.O_APPEND | Libc.O_NONBLOCK | Libc.O_NOCTTY;

    private readonly string? _path;
    private int _descriptor = NoDescriptor;
    private FileStream? _stream;

    private AppendFile(string? path) => _path = path;

    /// <summary>Its name, for messages.</summary>
    public string Name => _path ?? "stdout";

    /// <summary>Whether it is open: not before it could be opened, and not any more when the reader of a pipe has gone.</summary>
    public bool IsOpen => _stream is not null || _descriptor != NoDescriptor;

    /// <summary>Standard output.</summary>
    public static AppendFile Stdout() => new(null) { _descriptor = StdoutDescriptor };

    /// <summary>
    /// A file, which is made if it does not exist. A pipe that nobody reads yet, or a full disk, is no reason to fail: it is tried again
    /// when there is something to write.
    /// </summary>
    public static AppendFile At(string path)
    {
        var file = new AppendFile(path);
        file.TryReopen(out _);
        return file;
    }

    /// <summary>Why a path cannot be appended to, as far as that can be told without touching it; null when it probably can.</summary>
    public static string? FindProblem(string path)
    {
        if (Directory.Exists(path))
        {
            return "which is a folder";
        }

        if (TrustedPath.FindProblem(path) is { } problem)
        {
            return $"which is not trusted: {problem}";
        }

        if (File.Exists(path))
        {
            return IsWritable(path) ? null : "which may not be written by this user";
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? path;
        return !Directory.Exists(folder) ? "which is in a folder that does not exist"
            : IsWritable(folder) ? null
            : "which is in a folder that may not be written by this user";
    }

    /// <summary>Opens the file again.</summary>
    /// <param name="error">Why that failed; what was open before stays open then.</param>
    public bool TryReopen(out string error)
    {
        error = "";
        if (_path is null)
        {
            return true;
        }

        try
        {
            return OperatingSystem.IsWindows() ? ReopenStream() : ReopenDescriptor(out error);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            error = e.Message;
            return false;
        }
    }

    /// <summary>Appends what can be appended now; waits a moment for a pipe to take more.</summary>
    /// <param name="bytes">What to append.</param>
    /// <param name="error">Why it cannot be.</param>
    /// <returns>How many bytes were; 0 when none could be in this moment, or not at all.</returns>
    public int Write(ReadOnlySpan<byte> bytes, out string? error)
    {
        error = null;
        if (_stream is not null)
        {
            return WriteStream(bytes, out error);
        }

        if (OperatingSystem.IsWindows() || _descriptor == NoDescriptor)
        {
            error = "it is not open";
            return 0;
        }

        return WriteDescriptor(bytes, out error);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stream?.Dispose();
        _stream = null;
        Close(_descriptor);
        _descriptor = NoDescriptor;
    }

    private static string Describe(int errno) => errno == Libc.ENXIO ? "nobody reads the pipe" : Libc.Describe(errno);

    private static bool IsWritable(string path) => OperatingSystem.IsWindows() || Libc.Access(path, Libc.W_OK) == 0;

    private static void Close(int descriptor)
    {
        if (descriptor > StdoutDescriptor)
        {
            _ = Libc.Close(descriptor);
        }
    }

    private bool ReopenStream()
    {
        var stream = new FileStream(_path!, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        _stream?.Dispose();
        _stream = stream;
        return true;
    }

    [UnsupportedOSPlatform("windows")]
    private bool ReopenDescriptor(out string error)
    {
        error = "";
        if (TrustedPath.IsSupported)
        {
            return ReopenTrusted(out error);
        }

        if (!File.Exists(_path))
        {
            using var made = new FileStream(
                _path!,
                new FileStreamOptions
                {
                    Mode = FileMode.OpenOrCreate,
                    Access = FileAccess.Write,
                    Share = FileShare.ReadWrite | FileShare.Delete,
                    UnixCreateMode = (UnixFileMode)MadeMode,
                }
            );
        }

        int descriptor = Libc.Open(_path!, Appending | Libc.O_CLOEXEC);
        error = descriptor < 0 ? Describe(Libc.Errno) : "";
        return Take(descriptor);
    }

    private bool ReopenTrusted(out string error)
    {
        var file = TrustedPath.Open(_path!, Appending, MadeMode);
        error = file.Descriptor >= 0 ? "" : file.Problem ?? Describe(file.Errno);
        return Take(file.Descriptor);
    }

    private bool Take(int descriptor)
    {
        if (descriptor < 0)
        {
            return false;
        }

        Close(_descriptor);
        _descriptor = descriptor;
        return true;
    }

    private int WriteStream(ReadOnlySpan<byte> bytes, out string? error)
    {
        try
        {
            _stream!.Write(bytes);
            error = null;
            return bytes.Length;
        }
        catch (IOException e)
        {
            error = e.Message;
            return 0;
        }
    }

    private unsafe int WriteDescriptor(ReadOnlySpan<byte> bytes, out string? error)
    {
        error = null;
        nint written;
        fixed (byte* first = bytes)
        {
            written = Libc.Write(_descriptor, first, (nuint)bytes.Length);
        }

        if (written >= 0)
        {
            return (int)written;
        }

        int errno = Libc.Errno;
        if (errno == Libc.EAGAIN)
        {
            var ready = new Libc.PollFd { Fd = _descriptor, Events = Libc.POLLOUT };
            _ = Libc.Poll(&ready, 1, PlatformLimits.AccessLogPollMs);
        }
        else if (errno != Libc.EINTR)
        {
            error = Libc.Describe(errno);
            if (errno == Libc.EPIPE && _path is not null)
            {
                Close(_descriptor);
                _descriptor = NoDescriptor;
            }
        }

        return 0;
    }
}
