using Spawngate.Backends;
using Spawngate.Forwarding;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>
/// A small deterministic scheduler: the steps of requests, lifecycle, launcher, process, probe, clock and administrator in thousands of
/// random orders, with the invariants checked after every step and everything brought to rest at the end.
/// </summary>
internal sealed class BackendInterleavingTests
{
    private const int Orders = 3_000;
    private const int StepsPerOrder = 120;

    [Test]
    public void Invariants_hold_in_every_order_of_steps([Values(1, 2, 3, 4)] int part)
    {
        for (var i = 0; i < Orders / 4; i++)
        {
            var seed = (part * 1_000_000) + i;
            using var world = new World(seed);
            try
            {
                for (var step = 0; step < StepsPerOrder; step++)
                {
                    world.Step();
                    world.CheckInvariants();
                }

                world.ComeToRest();
            }
            catch (Exception e) when (e is not AssertionException)
            {
                throw new InvalidOperationException($"seed {seed}: {world.History}", e);
            }
        }
    }

    private sealed class World : IDisposable
    {
        private readonly Random _random;
        private readonly LifecycleStage _stage;
        private readonly int _seed;
        private readonly bool _mayClose;
        private readonly List<BackendWaiter> _waiters = [];
        private readonly List<(ReadyInstance Instance, bool Passive, bool Tunnel, WatchedTunnel? Watched)> _leases = [];
        private long _allowed;
        private readonly HashSet<ScriptedWorkload> _terminated = [];
        private int _cutsSeen;
        private readonly List<string> _history = [];
        private readonly List<Action> _enabled = [];

        public World(int seed)
        {
            _seed = seed;
            _random = new Random(seed);
            _mayClose = _random.Next(4) == 0;
            _allowed = _random.Next(4);
            _stage = new LifecycleStage(config =>
                config with
                {
                    MaxConcurrency = (int)_allowed,
                    RequestTimeoutSecs = 3,
                    MaxQueuedRequests = 5,
                    IdleTimeoutSecs = 2,
                    ReadyHealthCheckIntervalMs = 500,
                    UnhealthyThreshold = 2,
                    DrainTimeoutSecs = 2,
                    ShutdownGracePeriodSecs = 1,
                }
            );
        }

        public string History => string.Join(", ", _history.TakeLast(40));

        private Backend Backend => _stage.Backend;

        public void Step()
        {
            _enabled.Clear();
            AddRequestSteps();
            AddWorldSteps();
            if (_random.Next(12) == 0)
            {
                AddRareSteps();
            }

            _enabled[_random.Next(_enabled.Count)]();
            Collect();
        }

        public void CheckInvariants()
        {
            var word = Backend.Word;
            var live = word.Phase is BackendPhase.Ready or BackendPhase.Unhealthy or BackendPhase.Stopping
                ? _leases.Where(lease => lease.Instance.InstanceNumber == word.InstanceNumber).ToList()
                : [];
            Assert(word.InUse == live.Count(static lease => !CountsPassive(lease)), $"in use {word.InUse}, leases {live.Count}");
            Assert(
                word.PassiveCount == live.Count(static lease => CountsPassive(lease)),
                $"passive requests {word.PassiveCount}, leases {live.Count}"
            );
            Assert(
                word.Phase != BackendPhase.Stopping || word.InUse == 0 || Backend.GetStatus().StoppingBecause != "idle",
                "stops for idleness while in use"
            );
            Assert(
                word.Phase != BackendPhase.Stopping
                    || Backend.GetStatus() is not { StoppingBecause: "idle", LeaseSecs: not null }
                    || Backend.Lifecycle.Mailbox.HasMessages,
                "stops for idleness while a lease holds"
            );
            CheckTerminations(word);
            var givenUp = _stage.Log.Records.Count(record => record.Text.Contains("given up after", StringComparison.Ordinal));
            Assert(_stage.Launcher.Alive <= 1 + givenUp, "two runs at once");
            Assert(_stage.Launcher.Launches.Count(launch => launch.IsPending) <= 1 + givenUp, "two launches at once");
            Assert(
                word.Phase != BackendPhase.Stopped || Held == 0 || Backend.Lifecycle.Mailbox.HasMessages,
                "a waiter was left behind in Stopped"
            );
            CheckLimit(word, live.Count(static lease => !lease.Tunnel));
            Assert(word.Phase == BackendPhase.Stopped || _stage.Active.Count == 1, "not in the set of active backends");
            Assert(!_stage.Log.Bugs.Any(), string.Join(' ', _stage.Log.Bugs));
        }

        /// <summary>Everybody does what is due: nothing may stay held, running or active.</summary>
        public void ComeToRest()
        {
            for (var round = 0; round < 200; round++)
            {
                HandleAll();
                _leases.ToList().ForEach(Leave);
                if (_stage.Launcher.Launches.FirstOrDefault(static launch => launch.IsPending) is { } launch)
                {
                    launch.Succeed();
                }

                foreach (
                    var instance in _stage
                        .Launcher.Launches.Select(static launch => launch.Workload)
                        .Where(static instance => instance is { Killed: > 0 } or { Terminated: > 0 })
                )
                {
                    instance!.Exit();
                }

                foreach (var probe in _stage.Probes.Where(static probe => !probe.IsDisposed && probe.AwaitsReady))
                {
                    probe.Ready();
                }

                foreach (var probe in _stage.Probes.Where(static probe => !probe.IsDisposed && probe.AwaitsCheck))
                {
                    probe.Answer(true);
                }

                HandleAll();
                _stage.Time.AdvanceMs(100);
            }

            HandleAll();
            Assert(_waiters.Count == 0, "a waiter was never decided");
            Assert(Backend.Word is { Phase: BackendPhase.Stopped, InFlight: 0 }, $"rests in {Backend.Word}");
            Assert(_stage.Active.Count == 0, "active at rest");
            Assert(_stage.Launcher.Alive == 0, "something runs at rest");
            Assert(_stage.Probes.All(static probe => probe.IsDisposed), "a probe was left open");
        }

        public void Dispose() => _stage.Dispose();

        /// <summary>
        /// Never more than may be, but for those who were there when the limit became lower. Nobody waits while there is room, and nobody
        /// overtakes.
        /// </summary>
        private void CheckLimit(BackendWord word, int requests)
        {
            var max = Backend.Lifecycle.Queue.Limit.Max;
            _allowed = max == 0 ? long.MaxValue : Math.Max(max, Math.Min(_allowed, requests));
            Assert(word.Phase != BackendPhase.Ready || requests <= _allowed, $"{requests} requests, allowed are {_allowed}");
            Assert(
                word.Phase != BackendPhase.Ready || Held == 0 || (max > 0 && requests >= max),
                $"a waiter was left behind in Ready with {requests} of {max}"
            );
            var expected =
                word.Phase != BackendPhase.Ready || max == 0 ? ReadyGate.Open
                : Held > 0 ? ReadyGate.Crowded
                : ReadyGate.Limited;
            Assert(word.Gate == expected, $"{Held} wait, so it should be {expected}");
        }

        /// <summary>An instance is asked to end only when nothing is in flight, or after what was has been cut.</summary>
        private void CheckTerminations(BackendWord word)
        {
            var cuts = _stage.Log.Records.Count(static record => record.Text.Contains("are cut after", StringComparison.Ordinal));
            foreach (
                var instance in _stage
                    .Launcher.Launches.Select(static launch => launch.Workload)
                    .OfType<ScriptedWorkload>()
                    .Where(instance => instance.Terminated > 0 && _terminated.Add(instance))
            )
            {
                Assert(
                    word.InFlight == 0 || cuts > _cutsSeen || word.Phase != BackendPhase.Stopping,
                    $"asked to end with {word.InFlight} in flight"
                );
            }

            _cutsSeen = cuts;
        }

        private int Held => _waiters.Count(static waiter => !waiter.Decision.IsCompleted);

        private void HandleAll()
        {
            while (_stage.Executor.Count > 0)
            {
                _stage.Executor.Step(0);
                Collect();
                CheckInvariants();
            }
        }

        private void AddRequestSteps()
        {
            Add("ask", () => _waiters.Add(_stage.Ask()));
            Add("enter", () =>
            {
                if (Backend.TryEnter(out var instance))
                {
                    Assert(Held == 0, "overtook those who wait");
                    _leases.Add((instance, false, false, null));
                }
            });
            Add("enter aside", () =>
            {
                var admission = Backend.EnterPassive(out var countedPassive);
                if (admission.Instance is { } instance)
                {
                    _leases.Add((instance, countedPassive, false, null));
                }
                else if (admission.Outcome == AdmissionOutcome.NoRoom)
                {
                    _waiters.Add(Backend.Enqueue(new WakeCause(WakeKind.Request), passive: true));
                }
            });
            if (_leases.Count > 0)
            {
                Add("leave", () => Leave(_leases[_random.Next(_leases.Count)]));
                Add("leave", () => Leave(_leases[_random.Next(_leases.Count)]));
                Add("tunnel", () => BecomeTunnel(_random.Next(_leases.Count)));
                Add("watched tunnel", () => WatchTunnel(_random.Next(_leases.Count)));
                Add("data", () => _leases[_random.Next(_leases.Count)].Watched?.OnData());
            }

            if (_waiters.Count > 0)
            {
                Add("cancel", () =>
                {
                    var waiter = _waiters[_random.Next(_waiters.Count)];
                    var decided = waiter.Decision.IsCompleted;
                    Assert(Backend.Cancel(waiter) != decided, "cancelled and decided");
                });
            }
        }

        private void AddWorldSteps()
        {
            for (var i = 0; i < _stage.Executor.Count; i++)
            {
                var index = i;
                Add("handle", () => _stage.Executor.Step(index));
                Add("handle", () => _stage.Executor.Step(index));
                Add("handle", () => _stage.Executor.Step(index));
            }

            foreach (var launch in _stage.Launcher.Launches.Where(static launch => launch.IsPending))
            {
                Add("launch succeeds", () => launch.Succeed());
                Add("launch succeeds", () => launch.Succeed());
                Add("launch fails", () => launch.Fail("no"));
            }

            foreach (
                var instance in _stage
                    .Launcher.Launches.Select(static launch => launch.Workload)
                    .OfType<ScriptedWorkload>()
                    .Where(static instance => !instance.HasExited)
            )
            {
                Add("exit", () => instance.Exit());
                if (instance.Terminated + instance.Killed > 0)
                {
                    Add("exit asked", () => instance.Exit());
                    Add("exit asked", () => instance.Exit());
                }
            }

            foreach (var probe in _stage.Probes.Where(static probe => !probe.IsDisposed))
            {
                AddProbeSteps(probe);
            }

            if (Backend.Lifecycle.Current is not null)
            {
                Add("lease", () => Lease(_random.Next(3)));
            }

            Add("tick", () => _stage.Time.AdvanceMs(100));
            Add("second", () => _stage.Time.AdvanceMs(1000));
        }

        private void AddProbeSteps(ScriptedProbe probe)
        {
            if (probe.AwaitsReady)
            {
                Add("listen", probe.Listen);
                Add("ready", probe.Ready);
                Add("ready", probe.Ready);
            }

            if (probe.AwaitsCheck)
            {
                Add("check ok", () => probe.Answer(true));
                Add("check fails", () => probe.Answer(false));
            }
        }

        private void AddRareSteps()
        {
            Add("admin start", () => Backend.RequestStart());
            Add("admin stop", () => Backend.RequestStop());
            Add("admin restart", () => Backend.RequestRestart());
            Add("callback", () => Backend.ReportReady(null, true));
            Add("minute", () => _stage.Time.AdvanceMs(60_000));
            Add("reconfigure", () => Backend.Reconfigure(Backend.Config with { IdleTimeoutSecs = _random.Next(1, 4) }));
            Add("limit", () =>
                Backend.Reconfigure(Backend.Config with { MaxConcurrency = _random.Next(4), RequestTimeoutSecs = _random.Next(4) })
            );
            if (_mayClose)
            {
                Add("remove", () => Backend.Close(LifecycleInput.Remove));
                Add("gateway stop", () => Backend.Close(LifecycleInput.GatewayStop));
                Add("kill now", () => Backend.Close(LifecycleInput.KillNow));
            }
        }

        private void Add(string name, Action step) =>
            _enabled.Add(() =>
            {
                _history.Add(name);
                step();
            });

        private void Leave((ReadyInstance Instance, bool Passive, bool Tunnel, WatchedTunnel? Watched) lease)
        {
            _leases.Remove(lease);
            Backend.Leave(lease.Instance, lease.Watched?.End(lease.Passive) ?? lease.Passive, lease.Tunnel);
        }

        private static bool CountsPassive((ReadyInstance Instance, bool Passive, bool Tunnel, WatchedTunnel? Watched) lease) =>
            lease.Passive || lease.Watched is { IsQuiet: true };

        /// <summary>The instance that was launched last says that it works, for a moment or not any more.</summary>
        private void Lease(int secs)
        {
            if (_stage.Launcher.Launches.Count > 0)
            {
                _ = Backend.LeaseAsync(_stage.Launcher.Last.Token, secs);
            }
        }

        private void WatchTunnel(int index)
        {
            if (!_leases[index].Tunnel && !_leases[index].Passive)
            {
                BecomeTunnel(index);
                var instance = _leases[index].Instance;
                _leases[index] = _leases[index] with { Watched = Backend.WatchTunnel(instance, 1000, () => Close(instance)) };
            }
        }

        private void Close(ReadyInstance instance) =>
            Assert(
                instance.InstanceNumber == Backend.Word.InstanceNumber && Backend.Word.Phase == BackendPhase.Stopping,
                "told to close without a stop"
            );

        private void BecomeTunnel(int index)
        {
            if (!_leases[index].Tunnel)
            {
                _leases[index] = _leases[index] with { Tunnel = true };
                Backend.BecomeTunnel(_leases[index].Instance);
            }
        }

        /// <summary>Takes over what was decided: an admitted request is a lease.</summary>
        private void Collect()
        {
            foreach (var waiter in _waiters.Where(static waiter => waiter.Decision.IsCompleted).ToList())
            {
                var before = _waiters.IndexOf(waiter);
                Assert(
                    !waiter.Decision.IsCompletedSuccessfully
                        || LifecycleStage.Decided(waiter).Outcome != AdmissionOutcome.Admitted
                        || before == 0,
                    "overtook one who waits"
                );
                _waiters.Remove(waiter);
                var admission = LifecycleStage.Decided(waiter);
                Assert(
                    admission.Instance is not null == (admission.Outcome == AdmissionOutcome.Admitted),
                    "a run without admission, or the reverse"
                );
                if (admission.Instance is { } instance)
                {
                    Assert(instance.InstanceNumber == Backend.Word.InstanceNumber, "admitted to a run that is over");
                    _leases.Add((instance, waiter.CountedPassive, false, null));
                }
            }
        }

        private void Assert(bool holds, string message)
        {
            if (!holds)
            {
                throw new InvalidOperationException($"seed {_seed}: {message} in {Backend.Word} after {History}");
            }
        }
    }
}
