using System.Diagnostics;
using NUnit.Framework.Constraints;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>
/// How late everything is on this machine. A clock in this process ticks all the time, and knows by how much it was late: a few
/// milliseconds on an idle machine, so that a bound on a time means what it says; a good part of a second where the cores are taken, and
/// there it gives way by as much as the machine is to blame for.
/// </summary>
internal static class Strain
{
    private const int KeptMax = 4096;

    /// <summary>
    /// A step from the test to the gateway, a backend, the kernel's timers and back waits about as long as the clock did, each time: so
    /// often what it waited at most is allowed for.
    /// </summary>
    private const double Steps = 10;

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Whoever was held up before the first look at the clock took a time that is too late: such a delay has ended shortly before.
    /// </summary>
    private static readonly long Before = Stopwatch.Frequency;

    private static readonly Lock Gate = new();
    private static readonly Queue<(long At, double Secs)> Late = new();
    private static long _ticked = Stopwatch.GetTimestamp();
    private static readonly Task Watching = Task.Run(WatchAsync);

    /// <summary>Starts the clock, if it does not tick yet.</summary>
    public static void Watch() => Assert.That(Watching.IsFaulted, Is.False);

    /// <summary>
    /// Seconds that something which began at that moment (<see cref="Stopwatch.GetTimestamp"/>) may have lost by the machine's fault.
    /// </summary>
    public static double SecsSince(long began)
    {
        lock (Gate)
        {
            double now = (Stopwatch.GetElapsedTime(_ticked) - Period).TotalSeconds; // The tick that has not come yet.
            long noticed = began - Before;
            return Steps * Late.Where(each => each.At >= noticed).Select(each => each.Secs).Append(now).Append(0).Max();
        }
    }

    /// <summary>
    /// A number of seconds in a range, but for what the machine has lost since then: on either side, since what begins a measurement is
    /// noticed late as well.
    /// </summary>
    public static RangeConstraint Within(long began, double from, double to)
    {
        double lost = SecsSince(began);
        return Is.InRange(from - lost, to + lost);
    }

    private static async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(Period);
        while (await timer.WaitForNextTickAsync())
        {
            lock (Gate)
            {
                long now = Stopwatch.GetTimestamp();
                Late.Enqueue((now, (Stopwatch.GetElapsedTime(_ticked, now) - Period).TotalSeconds));
                _ticked = now;
                if (Late.Count > KeptMax)
                {
                    Late.Dequeue();
                }
            }
        }
    }
}
