using System.Diagnostics.CodeAnalysis;

namespace Spawngate.Backends;

/// <summary>What <see cref="BackendState.Leave"/> did.</summary>
internal enum LeaveOutcome
{
    /// <summary>The request was counted out.</summary>
    Counted,

    /// <summary>It was the last one in flight and the backend is stopping: the drain is over.</summary>
    LastOfStop,

    /// <summary>Its instance is over already, and its count went with the instance.</summary>
    Late,

    /// <summary>The request was counted out, and others wait for its place: <see cref="AdmissionQueue.Fill"/> has to be called.</summary>
    MakesRoom,
}

/// <summary>How requests come in while a backend is Ready: three codes of the same phase.</summary>
internal enum ReadyGate
{
    /// <summary>All are admitted.</summary>
    Open,

    /// <summary>Those are admitted for whom there is room.</summary>
    Limited,

    /// <summary>Some wait for room, so that whoever comes waits behind them.</summary>
    Crowded,
}

/// <summary>The parts of the state word at one moment.</summary>
/// <param name="Phase">The phase.</param>
/// <param name="InstanceNumber">Number of the latest start.</param>
/// <param name="InUse">Requests admitted and not yet left that count as use.</param>
/// <param name="PassiveCount">Those that do not: they are served and waited for, but keep nothing awake.</param>
/// <param name="Gate">How requests come in while it is Ready.</param>
internal readonly record struct BackendWord(
    BackendPhase Phase,
    int InstanceNumber,
    long InUse,
    long PassiveCount = 0,
    ReadyGate Gate = ReadyGate.Open
)
{
    /// <summary>Requests admitted and not yet left.</summary>
    public long InFlight => InUse + PassiveCount;
}

/// <summary>
/// Phase, instance number and in-flight counts of a backend in one word that is changed by compare-and-swap only, so that "the last
/// request left", "a request came" and "begin to stop" have one order that everybody sees.
/// <code>
///   63   60 59            37 36              21 20        0
///  ┌───────┬─────────────────┬──────────────────┬───────────┐
///  │ phase │ instance number │ passive requests │ in use    │
///  └───────┴─────────────────┴──────────────────┴───────────┘
///
///             BeginStart              BecomeReady(n)          MarkUnhealthy
///   Stopped ─────────────▶ Starting ────────────────▶ Ready ────────────────▶ Unhealthy
///    ▲ ▲ ▲                  │   │                     │ │ ▲ ◀──────────────── │   │
///    │ │ └── FailStart ─────┘   │ BeginStop           │ │ │     Recover       │   │
///    │ │                        ▼                     │ │ │                   │   │
///    │ └─ FinishStop ──────  Stopping ◀── BeginStop ──┘ │ └ TakeBackIdleStop  │   │
///    │                          ▲  ▲───── TryBeginIdleStop (in use = 0)       │   │
///    │                          └─────────── BeginStop ───────────────────────┘   │
///    └───────────────────────── Crash (from Ready, Unhealthy) ────────────────────┘
///
///   Ready has three codes:  2 open ◀── SetGate ──▶ 10 limited ◀── SetGate ──▶ 14 crowded
/// </code>
/// A transition that is not drawn throws. Without a limit requests compare with the open code and never meet the others. It is a class of
/// its own so that the word, which every request writes, does not share a cache line with the fields that every request only reads.
/// </summary>
internal sealed class BackendState
{
    private const int PhaseShift = 60;
    private const int NumberShift = BackendLimits.UsersBits + BackendLimits.PassiveRequestsBits;
    private const int NumberMask = (1 << (PhaseShift - NumberShift)) - 1;
    private const int PassiveShift = BackendLimits.UsersBits;
    private const ulong OnePassive = 1UL << PassiveShift;
    private const ulong InUseMask = BackendLimits.UsersMax;
    private const ulong PassiveMask = BackendLimits.PassiveRequestsMax * OnePassive;
    private const ulong InFlightMask = InUseMask | PassiveMask;
    private const int LimitedCode = 8 | (int)BackendPhase.Ready;
    private const int CrowdedCode = 12 | (int)BackendPhase.Ready;

    private ulong _word = Pack((int)BackendPhase.Stopped, 0, 0);

    /// <summary>The word at this moment.</summary>
    public BackendWord Read() => Unpack(Volatile.Read(ref _word));

    /// <summary>The phase at this moment.</summary>
    public BackendPhase Phase => PhaseOf(Volatile.Read(ref _word));

    /// <summary>
    /// Admits a request to the instance <paramref name="instanceNumber"/>: checks Ready and counts in one step. False when that instance is
    /// not Ready.
    /// </summary>
    public bool TryEnter(int instanceNumber)
    {
        var seen = Volatile.Read(ref _word);
        while (CodeOf(seen) == (int)BackendPhase.Ready && NumberOf(seen) == instanceNumber && (seen & InUseMask) != InUseMask)
        {
            var found = Interlocked.CompareExchange(ref _word, seen + 1, seen);
            if (found == seen)
            {
                return true;
            }

            seen = found;
        }

        return false;
    }

    /// <summary>The same for a request that does not count as use.</summary>
    /// <param name="instanceNumber">The instance.</param>
    /// <param name="countedPassive">
    /// How it was counted and has to leave: false when there are too many passive requests, so that it counts as use after all.
    /// </param>
    public bool TryEnterPassive(int instanceNumber, out bool countedPassive)
    {
        var seen = Volatile.Read(ref _word);
        while (CodeOf(seen) == (int)BackendPhase.Ready && NumberOf(seen) == instanceNumber && (seen & PassiveMask) != PassiveMask)
        {
            var found = Interlocked.CompareExchange(ref _word, seen + OnePassive, seen);
            if (found == seen)
            {
                countedPassive = true;
                return true;
            }

            seen = found;
        }

        countedPassive = false;
        return TryEnter(instanceNumber);
    }

    /// <summary>Admits a request to an instance whose requests are limited, if there is room.</summary>
    /// <param name="instanceNumber">The instance.</param>
    /// <param name="room">How many may be in flight, tunnels included.</param>
    /// <param name="itsTurn">
    /// Whether nobody waits before it; within the gate of <see cref="AdmissionQueue"/>. Otherwise it comes in only while nobody waits.
    /// </param>
    /// <param name="passive">Whether it does not count as use.</param>
    /// <param name="countedPassive">How it was counted and has to leave.</param>
    public bool TryEnterLimited(int instanceNumber, long room, bool itsTurn, bool passive, out bool countedPassive)
    {
        var seen = Volatile.Read(ref _word);
        while (
            (itsTurn ? PhaseOf(seen) == BackendPhase.Ready : CodeOf(seen) == LimitedCode)
            && NumberOf(seen) == instanceNumber
            && InFlightOf(seen) < room
            && (seen & InUseMask) != InUseMask
        )
        {
            countedPassive = passive && (seen & PassiveMask) != PassiveMask;
            var found = Interlocked.CompareExchange(ref _word, seen + (countedPassive ? OnePassive : 1), seen);
            if (found == seen)
            {
                return true;
            }

            seen = found;
        }

        countedPassive = false;
        return false;
    }

    /// <summary>Changes how requests come in while it is Ready; within the gate of <see cref="AdmissionQueue"/>.</summary>
    public void SetGate(int instanceNumber, ReadyGate gate) =>
        Move(instanceNumber, Set(BackendPhase.Ready), CodeOf(gate), keepInFlight: true, nameof(SetGate));

    /// <summary>Counts a request out of the instance <paramref name="instanceNumber"/>.</summary>
    /// <param name="instanceNumber">The instance.</param>
    /// <param name="countedPassive">How it was counted in.</param>
    /// <exception cref="InvalidOperationException">More requests left than entered.</exception>
    public LeaveOutcome Leave(int instanceNumber, bool countedPassive = false)
    {
        var one = countedPassive ? OnePassive : 1;
        var mask = countedPassive ? PassiveMask : InUseMask;
        var seen = Volatile.Read(ref _word);
        while (true)
        {
            if (NumberOf(seen) != instanceNumber || CodeOf(seen) == (int)BackendPhase.Stopped)
            {
                return LeaveOutcome.Late;
            }

            if ((seen & mask) == 0)
            {
                Refuse(nameof(Leave), seen);
            }

            var found = Interlocked.CompareExchange(ref _word, seen - one, seen);
            if (found == seen)
            {
                return CodeOf(seen) switch
                {
                    < (int)BackendPhase.Stopping => LeaveOutcome.Counted,
                    CrowdedCode => LeaveOutcome.MakesRoom,
                    (int)BackendPhase.Stopping when ((seen - one) & InFlightMask) == 0 => LeaveOutcome.LastOfStop,
                    _ => LeaveOutcome.Counted,
                };
            }

            seen = found;
        }
    }

    /// <summary>
    /// A request in flight stops to count as use, and is waited for like any other that does not. False, with nothing changed, when the
    /// instance is neither Ready nor Unhealthy, or there are too many of those.
    /// </summary>
    public bool TryBecomePassive(int instanceNumber) => TryRecount(instanceNumber, 1, InUseMask, OnePassive, PassiveMask);

    /// <summary>
    /// The same request counts as use again. False, with nothing changed, when the instance is neither Ready nor Unhealthy: then a stop has
    /// begun, which was decided without it.
    /// </summary>
    public bool TryBecomeUse(int instanceNumber) => TryRecount(instanceNumber, OnePassive, PassiveMask, 1, InUseMask);

    /// <summary>Stopped to Starting, with the next instance number, which is returned.</summary>
    public int BeginStart()
    {
        var seen = Volatile.Read(ref _word);
        // 23 bits of instance number last 97 days at one start per second, and then begin anew; 0 is left out because it means "never
        // started".
        var next = (NumberOf(seen) % NumberMask) + 1;
        if (
            PhaseOf(seen) != BackendPhase.Stopped
            || Interlocked.CompareExchange(ref _word, Pack((int)BackendPhase.Starting, next, 0), seen) != seen
        )
        {
            Refuse(nameof(BeginStart), seen);
        }

        return next;
    }

    /// <summary>Starting to Ready, admitting <paramref name="admitted"/> held requests in the same step.</summary>
    public void BecomeReady(int instanceNumber, int admitted, ReadyGate gate = ReadyGate.Open)
    {
        var expected = Pack((int)BackendPhase.Starting, instanceNumber, 0);
        var found = Interlocked.CompareExchange(ref _word, Pack(CodeOf(gate), instanceNumber, (ulong)admitted), expected);
        if (found != expected)
        {
            Refuse(nameof(BecomeReady), found);
        }
    }

    /// <summary>Starting to Stopped: the start failed and left nothing to end.</summary>
    public void FailStart(int instanceNumber) =>
        Move(instanceNumber, Set(BackendPhase.Starting), (int)BackendPhase.Stopped, keepInFlight: false, nameof(FailStart));

    /// <summary>Ready to Unhealthy; requests in flight go on.</summary>
    public void MarkUnhealthy(int instanceNumber) =>
        Move(instanceNumber, Set(BackendPhase.Ready), (int)BackendPhase.Unhealthy, keepInFlight: true, nameof(MarkUnhealthy));

    /// <summary>Unhealthy back to Ready.</summary>
    public void Recover(int instanceNumber, ReadyGate gate = ReadyGate.Open) =>
        Move(instanceNumber, Set(BackendPhase.Unhealthy), CodeOf(gate), keepInFlight: true, nameof(Recover));

    /// <summary>Ready and not in use to Stopping; false, and nothing changed, when a request got in first.</summary>
    /// <param name="instanceNumber">The instance.</param>
    /// <param name="passiveCount">
    /// Who is still in flight and has to be waited for: one of them will report the last one leaving, if there is any.
    /// </param>
    public bool TryBeginIdleStop(int instanceNumber, out int passiveCount)
    {
        var seen = Volatile.Read(ref _word);
        while (PhaseOf(seen) == BackendPhase.Ready && NumberOf(seen) == instanceNumber && (seen & InUseMask) == 0)
        {
            // Passive requests that come and go meanwhile only make this look again: what decides is that nothing is in use in the same
            // word.
            var found = Interlocked.CompareExchange(ref _word, Pack((int)BackendPhase.Stopping, instanceNumber, seen & InFlightMask), seen);
            if (found == seen)
            {
                passiveCount = (int)((seen & PassiveMask) >> PassiveShift);
                return true;
            }

            seen = found;
        }

        passiveCount = 0;
        return false;
    }

    /// <summary>
    /// Undoes <see cref="TryBeginIdleStop"/> as long as nobody has acted on it, admitting <paramref name="admitted"/> held requests in the
    /// same step.
    /// </summary>
    public void TakeBackIdleStop(int instanceNumber, int admitted, ReadyGate gate = ReadyGate.Open)
    {
        var seen = Volatile.Read(ref _word);
        while (true)
        {
            if (PhaseOf(seen) != BackendPhase.Stopping || NumberOf(seen) != instanceNumber || (seen & InUseMask) != 0)
            {
                Refuse(nameof(TakeBackIdleStop), seen);
            }

            var found = Interlocked.CompareExchange(
                ref _word,
                Pack(CodeOf(gate), instanceNumber, (seen & PassiveMask) | (uint)admitted),
                seen
            );
            if (found == seen)
            {
                return;
            }

            seen = found;
        }
    }

    /// <summary>
    /// Starting, Ready or Unhealthy to Stopping. Returns what is in flight: if it is 0, nobody will report the last one leaving.
    /// </summary>
    public long BeginStop(int instanceNumber)
    {
        var from = Set(BackendPhase.Starting) | Set(BackendPhase.Ready) | Set(BackendPhase.Unhealthy);
        return Unpack(Move(instanceNumber, from, (int)BackendPhase.Stopping, keepInFlight: true, nameof(BeginStop))).InFlight;
    }

    /// <summary>Ready or Unhealthy to Stopped: the instance ended by itself; what was in flight is counted out with it.</summary>
    public void Crash(int instanceNumber) =>
        Move(
            instanceNumber,
            Set(BackendPhase.Ready) | Set(BackendPhase.Unhealthy),
            (int)BackendPhase.Stopped,
            keepInFlight: false,
            nameof(Crash)
        );

    /// <summary>Stopping to Stopped; what a drain timeout left in flight is counted out.</summary>
    public void FinishStop(int instanceNumber) =>
        Move(instanceNumber, Set(BackendPhase.Stopping), (int)BackendPhase.Stopped, keepInFlight: false, nameof(FinishStop));

    private ulong Move(int instanceNumber, int from, int toCode, bool keepInFlight, string transition)
    {
        var seen = Volatile.Read(ref _word);
        while (true)
        {
            if ((from & Set(PhaseOf(seen))) == 0 || NumberOf(seen) != instanceNumber)
            {
                Refuse(transition, seen);
            }

            var next = Pack(toCode, instanceNumber, keepInFlight ? seen & InFlightMask : 0);
            var found = Interlocked.CompareExchange(ref _word, next, seen);
            if (found == seen)
            {
                return next;
            }

            seen = found;
        }
    }

    /// <summary>Moves one request from one count to the other.</summary>
    private bool TryRecount(int instanceNumber, ulong from, ulong fromMask, ulong to, ulong toMask)
    {
        var seen = Volatile.Read(ref _word);
        while (
            PhaseOf(seen) is BackendPhase.Ready or BackendPhase.Unhealthy && NumberOf(seen) == instanceNumber && (seen & toMask) != toMask
        )
        {
            if ((seen & fromMask) == 0)
            {
                Refuse(nameof(TryRecount), seen);
            }

            var found = Interlocked.CompareExchange(ref _word, seen - from + to, seen);
            if (found == seen)
            {
                return true;
            }

            seen = found;
        }

        return false;
    }

    [DoesNotReturn]
    private static void Refuse(string transition, ulong word) =>
        throw new InvalidOperationException($"{transition} is not possible from {Unpack(word)}.");

    private static int Set(BackendPhase phase) => 1 << (int)phase;

    private static int CodeOf(ulong word) => (int)(word >> PhaseShift);

    private static int CodeOf(ReadyGate gate) =>
        gate switch
        {
            ReadyGate.Open => (int)BackendPhase.Ready,
            ReadyGate.Limited => LimitedCode,
            _ => CrowdedCode,
        };

    private static BackendPhase PhaseOf(ulong word) =>
        CodeOf(word) is var code && code >= LimitedCode ? BackendPhase.Ready : (BackendPhase)code;

    private static ReadyGate GateOf(ulong word) =>
        CodeOf(word) switch
        {
            LimitedCode => ReadyGate.Limited,
            CrowdedCode => ReadyGate.Crowded,
            _ => ReadyGate.Open,
        };

    private static long InFlightOf(ulong word) => (long)(word & InUseMask) + (long)((word & PassiveMask) >> PassiveShift);

    private static int NumberOf(ulong word) => (int)(word >> NumberShift) & NumberMask;

    private static ulong Pack(int code, int instanceNumber, ulong inFlight) =>
        ((ulong)code << PhaseShift) | ((ulong)(uint)instanceNumber << NumberShift) | inFlight;

    private static BackendWord Unpack(ulong word) =>
        new(PhaseOf(word), NumberOf(word), (long)(word & InUseMask), (long)((word & PassiveMask) >> PassiveShift), GateOf(word));
}
