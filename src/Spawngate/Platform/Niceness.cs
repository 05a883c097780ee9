namespace Spawngate.Platform;

/// <summary>How nice this process is to others, and how far its children may differ (nice(2)).</summary>
internal static unsafe class Niceness
{
    private const int Least = -20;
    private const int RlimitNice = 13;
    private const int RlimitZero = 20; // The limit counts downwards: 20 stands for 0, 40 for -20 (getrlimit(2)).

    /// <summary>Ours.</summary>
    public static int Own => Libc.IsLinux ? Libc.GetPriority(0, 0) : 0;

    /// <summary>The least that children may have.</summary>
    public static int Lowest
    {
        get
        {
            if (RootPower.CoversNiceness)
            {
                return Least;
            }

            ulong* limit = stackalloc ulong[2];
            return Libc.IsLinux && Libc.LinuxPrlimit(0, RlimitNice, null, limit) == 0
                ? Math.Min(Own, RlimitZero - (int)Math.Min(limit[0], RlimitZero - Least))
                : Own;
        }
    }
}
