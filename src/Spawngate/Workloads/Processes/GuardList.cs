using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>An instance as the guard knows it.</summary>
/// <param name="Pid">Its leader and group; 0 while only its token is known.</param>
/// <param name="Start">When the leader started, in ticks since the machine did; 0 when it could not be read.</param>
/// <param name="GraceMs">Milliseconds between SIGTERM and SIGKILL.</param>
internal readonly record struct GuardedInstance(int Pid, long Start, int GraceMs);

/// <summary>
/// What the guard knows: the instances on its list, by token. Takes the bytes of the pipe in pieces of any length. Applying a record
/// allocates nothing once the table has its size, because the guard lives as long as its gateway and shall stay small.
/// </summary>
/// <param name="startOf">The start time of a process; 0 when there is none.</param>
internal sealed class GuardList(Func<int, long> startOf)
{
    private readonly Dictionary<InstanceToken, GuardedInstance> _instances = [];
    private readonly byte[] _rest = new byte[GuardRecord.Bytes];
    private readonly List<GuardedResource> _resources = [];
    private readonly List<byte> _line = [];
    private int _restBytes;

    /// <summary>The instances.</summary>
    public IReadOnlyDictionary<InstanceToken, GuardedInstance> Instances => _instances;

    /// <summary>The places where something of the gateway's may be.</summary>
    public IReadOnlyList<GuardedResource> Resources => _resources;

    /// <summary>Applies the records in <paramref name="bytes"/>; what is left of a record waits for its other part.</summary>
    /// <returns>False when the bytes are no records: the two sides do not speak the same language.</returns>
    public bool Take(ReadOnlySpan<byte> bytes)
    {
        while (_restBytes + bytes.Length >= GuardRecord.Bytes)
        {
            int missing = GuardRecord.Bytes - _restBytes;
            bytes[..missing].CopyTo(_rest.AsSpan(_restBytes));
            bytes = bytes[missing..];
            _restBytes = 0;
            if (GuardRecord.Read(_rest) is not { } record || !Apply(record))
            {
                return false;
            }
        }

        bytes.CopyTo(_rest.AsSpan(_restBytes));
        _restBytes += bytes.Length;
        return true;
    }

    private bool Apply(GuardRecord record)
    {
        switch (record.Kind)
        {
            case GuardRecordKind.Start:
                _instances[record.Token] = new GuardedInstance(record.Pid, record.Pid == 0 ? 0 : startOf(record.Pid), record.GraceMs);
                return true;
            case GuardRecordKind.End:
                _instances.Remove(record.Token);
                return true;
            default:
                return TakeText(record.Token);
        }
    }

    private bool TakeText(InstanceToken text)
    {
        if (_line.Count >= ProcessLimits.GuardLineBytesMax)
        {
            return false;
        }

        if (!GuardedResource.Append(text, _line))
        {
            return true;
        }

        bool isLine = GuardedResource.Apply(_line, _resources);
        _line.Clear();
        return isLine;
    }
}
