using Spawngate.EndToEnd.Tests.Harness;
namespace Spawngate.EndToEnd.Tests;
internal sealed class Smoke : GatewayTest
{
    [Test]
    public void Paths() => Assert.That(new[] { Executables.Gateway, Executables.Backend, Executables.Repository, Executables.DotnetRoot }, Has.All.Exist.Or.None.Empty, Executables.Gateway);
}
