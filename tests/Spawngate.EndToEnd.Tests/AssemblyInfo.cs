// Each test has gateways, folders and ports of its own, so they run beside each other; those that measure time or load say so.
[assembly: Parallelizable(ParallelScope.All)]
[assembly: FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[assembly: LevelOfParallelism(3)]
