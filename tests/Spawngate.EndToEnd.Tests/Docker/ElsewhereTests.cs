using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>
/// An engine of another machine. It runs on this one, but is reached at an address that is not loopback's, as another machine's would be.
/// </summary>
[TestFixture]
internal sealed class ElsewhereTests : ContainerTest
{
    /// <summary>An address of this machine that others could reach: the one in the shared engine's network.</summary>
    private IPAddress Machine => Engine.Gateway;

    [Test]
    public async Task Containers_of_another_machine_are_published_and_reached_there()
    {
        string address = $"tcp://{Machine}:{FreePort()}";
        DockerEngine own = await OwnEngineAsync("--host", address);
        GatewayProcess gateway = await FarGatewayAsync(own, address);
        await ServesFromThereAsync(gateway, own);
        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(await own.Api.NamesAsync(), Is.Empty);
    }

    [Test]
    public async Task On_that_machines_own_network_a_container_is_reached_at_its_port()
    {
        string address = $"tcp://{Machine}:{FreePort()}";
        DockerEngine own = await OwnEngineAsync("--host", address);
        string image = await own.Images.BusyboxAsync();
        int port = FreePort();
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "type = \"docker\"",
                $"image = \"{image}\"",
                $"docker_host = \"{address}\"",
                "network = \"host\"",
                $"port = {port}",
                $"args = [\"httpd\", \"-f\", \"-p\", \"{Machine}:{port}\", \"-h\", \"/bin\"]",
                "health_path = \"\"",
                "shutdown_grace_period_secs = 1"
            )
        );
        Assert.That((await AskAsync(gateway, "/busybox")).Status, Is.EqualTo(200), () => gateway.LogText);
    }

    [Test]
    public async Task TLS_proves_both_sides_to_each_other()
    {
        string good = Certificates("good", Machine);
        string address = $"tcp://{Machine}:{FreePort()}";
        string[] tls =
        [
            "--tlsverify",
            "--tlscacert",
            $"{good}/ca.pem",
            "--tlscert",
            $"{good}/server.pem",
            "--tlskey",
            $"{good}/server-key.pem",
        ];
        DockerEngine own = await OwnEngineAsync(["--host", address, .. tls]);
        GatewayProcess gateway = await FarGatewayAsync(own, address, $"docker_tls_dir = \"{good}\"");
        await ServesFromThereAsync(gateway, own);

        // The guard speaks it, too.
        gateway.Signal(ProcessScan.Kill);
        await GoneAsync(own.Api, Container);
        await gateway.ExitAsync();

        Assert.That(
            await RefusalAsync("stranger", $"docker_tls_dir = \"{Certificates("other", Machine)}\""),
            Does.Contain("TLS to the engine fails")
        );
        Assert.That(
            await RefusalAsync("none", $"docker_tls_dir = \"{Scene.Folder}\""),
            Does.Contain($"TLS to the engine needs {Scene.Folder}/ca.pem, and there is no such file")
        );
        Assert.That(await RefusalAsync("plain", ""), Does.Contain("HTTPS"));

        async Task<string> RefusalAsync(string name, string line)
        {
            string host = $"{name}-{Id}.test";
            GatewayProcess other = await Scene.GatewayAsync(new ConfigFile().Backend(host, [.. await FarLinesAsync(own, address), line]));
            return await FailureAsync(other, host);
        }
    }

    private async Task ServesFromThereAsync(GatewayProcess gateway, DockerEngine own)
    {
        await ServesAsync(gateway);
        JsonElement inspected = await own.Api.InspectAsync(Container);
        JsonElement mapping = inspected.GetProperty("NetworkSettings").GetProperty("Ports").GetProperty("3000/tcp");
        Assert.That(mapping.EnumerateArray().Select(each => each.GetProperty("HostIp").GetString()), Is.EqualTo([Machine.ToString()]));
        JsonElement backend = await gateway.Admin.BackendAsync(Host);
        Assert.That(
            backend.GetProperty("last_start").GetProperty("signal").GetString(),
            Is.EqualTo("callback"),
            "it calls back from there"
        );
    }

    private async Task<GatewayProcess> FarGatewayAsync(DockerEngine own, string address, string line = "") =>
        await Scene.GatewayAsync(new ConfigFile().Backend(Host, [.. await FarLinesAsync(own, address), line]));

    private async Task<string[]> FarLinesAsync(DockerEngine own, string address)
    {
        string near = $"docker_host = \"{own.Host}\"";
        string[] lines = await BackendAsync(["--health=500", "--ready-callback=0"], ["shutdown_grace_period_secs = 1"], own);
        return [.. lines.Where(each => each != near), $"docker_host = \"{address}\""];
    }

    private int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(Machine, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>A folder with what both sides need, of an authority of its own.</summary>
    private string Certificates(string name, IPAddress machine)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Scene.Folder, name)).FullName;
        DateTimeOffset from = TimeProvider.System.GetUtcNow().AddDays(-1);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name} authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using X509Certificate2 authority = request.CreateSelfSigned(from, from.AddDays(10));
        File.WriteAllText(Path.Combine(folder, "ca.pem"), authority.ExportCertificatePem());
        Issue("server", "server.pem", "server-key.pem", "1.3.6.1.5.5.7.3.1");
        Issue("client", "cert.pem", "key.pem", "1.3.6.1.5.5.7.3.2");
        return folder;

        void Issue(string subject, string certificateFile, string keyFile, string use)
        {
            using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var wanted = new CertificateRequest($"CN={subject}", own, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(machine);
            wanted.CertificateExtensions.Add(names.Build());
            wanted.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], false));
            using X509Certificate2 issued = wanted.Create(authority, from, from.AddDays(9), RandomNumberGenerator.GetBytes(8));
            File.WriteAllText(Path.Combine(folder, certificateFile), issued.ExportCertificatePem());
            File.WriteAllText(Path.Combine(folder, keyFile), own.ExportPkcs8PrivateKeyPem());
        }
    }
}
