using System.Runtime.Versioning;

// Each test has gateways, folders and ports of its own, so they run beside each other; those that measure time or load say so.
[assembly: Parallelizable(ParallelScope.All)]
[assembly: FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[assembly: LevelOfParallelism(3)]

// Signals, /proc and shell scripts: the suite checks the platform that the product is made for first.
[assembly: SupportedOSPlatform("linux")]
