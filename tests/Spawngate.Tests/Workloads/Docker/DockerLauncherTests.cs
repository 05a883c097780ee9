using System.Net;
using System.Net.Sockets;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Composition;
using Spawngate.Config;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>The Docker launcher with an engine that does what a real one does not do on demand.</summary>
[CancelAfter(60_000)]
internal sealed class DockerLauncherTests
{
    private static readonly string[] CallsOfAStart =
    [
        "GET /_ping",
        "GET /events",
        "GET /containers/json",
        "GET /networks/*",
        "POST /containers/create",
        "POST /containers/*/attach",
        "POST /containers/*/start",
        "GET /containers/*/json",
    ];

    /// <summary>Calls without which a start does as well.</summary>
    private static readonly string[] Dispensable = ["GET /containers/json", "GET /networks/*"];

    private static IEnumerable<object[]> Troubles() =>
        from call in CallsOfAStart
        from trouble in Enum.GetValues<EngineTrouble>()
        where trouble != EngineTrouble.Hang
        // What follows the head of a stream is read later, and a start is asked for no content.
        where
            trouble is not (EngineTrouble.Garbage or EngineTrouble.CutMidway)
            || !(call is "GET /events" or "POST /containers/*/attach" or "POST /containers/*/start")
        select new object[] { call, trouble };

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_container_starts_writes_and_ends(bool tcp, CancellationToken cancel)
    {
        await using var stage = new DockerStage(new FakeEngine(tcp: tcp));
        var result = await stage.LaunchAsync(cancel);
        Assert.That(result.Error, Is.Null);
        Assert.That(result.Place, Is.EqualTo(new LaunchedAt(new IPEndPoint(IPAddress.Loopback, 45678), IsForwarded: true)));
        var container = stage.Engine.Containers.Single();
        Assert.That(result.Workload!.Description, Is.EqualTo($"container {container.Id[..12]}, spawngate-app.test, image app:1"));
        stage.Engine.Send($"POST /containers/{container.Id}/attach", "\x1\0\0\0\0\0\0\x4one\n\x2\0\0\0\0\0\0\x4two\n");
        stage.Engine.End(container, 3);
        var exit = await result.Workload.Exited.WaitAsync(cancel);
        Assert.That((exit.Description, exit.Code), Is.EqualTo(("exited with status 3", 3)));
        Assert.That(exit.LastLines.Select(static line => $"{line.Stream}: {line.Text}"), Is.EqualTo(["Stdout: one", "Stderr: two"]));
        Assert.That(stage.Lines, Is.EqualTo(["Stdout: one", "Stderr: two"]));
        await RemovedAsync(stage, cancel);
    }

    [TestCaseSource(nameof(Troubles))]
    public async Task Whatever_goes_wrong_in_a_start_is_told_and_leaves_nothing(
        string call,
        EngineTrouble trouble,
        CancellationToken cancel
    )
    {
        await using var stage = new DockerStage();
        stage.Engine.Trouble(call, trouble);
        var result = await stage.LaunchAsync(cancel);
        stage.Engine.Trouble(call, null);
        if (Dispensable.Contains(call))
        {
            Assert.That(result.Error, Is.Null);
            result.Workload!.Kill();
            await result.Workload.Exited.WaitAsync(cancel);
        }
        else
        {
            Assert.That(result.Workload, Is.Null);
            Assert.That(result.Error, Is.Not.Empty);
            if (trouble == EngineTrouble.Error)
            {
                Assert.That(result.Error, Does.Contain("something is wrong inside"));
            }
        }

        await RemovedAsync(stage, cancel);
        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null, "the next start");
    }

    [TestCase("GET /_ping")]
    [TestCase("GET /events")]
    [TestCase("GET /containers/json")]
    [TestCase("GET /networks/*")]
    public async Task A_start_that_waits_for_a_hanging_engine_can_be_cancelled(string call, CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.Trouble(call, EngineTrouble.Hang);
        using var mine = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var reached = stage.Engine.ReachedAsync(call);
        var launch = stage.LaunchAsync(mine.Token);
        await reached.WaitAsync(cancel);
        await mine.CancelAsync();
        var result = await launch.WaitAsync(cancel);
        Assert.That(result, Is.EqualTo(new LaunchResult(null, "the start was cancelled")));
    }

    [TestCase("POST /containers/create", "POST /containers/create: no answer in time")]
    [TestCase("POST /containers/*/start", "/start: no answer in time")]
    [TestCase("POST /containers/*/attach", "/attach: no answer in time")]
    public async Task A_call_that_is_not_answered_ends_in_time(string call, string error, CancellationToken cancel)
    {
        var time = new FakeTime();
        await using var stage = new DockerStage(time: time);
        stage.Engine.Trouble(call, EngineTrouble.Hang);
        var reached = stage.Engine.ReachedAsync(call);
        var launch = stage.LaunchAsync(cancel);
        await reached.WaitAsync(cancel);
        stage.Engine.Trouble(call, null);
        time.AdvanceMs(DockerLimits.EngineCreateMs);
        Assert.That((await launch.WaitAsync(cancel)).Error, Does.Contain(error));
    }

    [Test]
    public async Task A_launch_that_is_cancelled_while_the_engine_starts_the_container_removes_it(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        using var mine = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        stage.Engine.Answer("POST /containers/*/start", () =>
        {
            mine.Cancel();
            return "HTTP/1.1 204 No Content\r\n\r\n";
        });
        var result = await stage.LaunchAsync(mine.Token);
        Assert.That(result.Error, Is.EqualTo("the start was cancelled"));
        Assert.That(stage.Engine.Containers, Is.Empty);
    }

    [Test]
    public async Task A_port_that_is_lost_in_that_moment_is_replaced_by_another(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var attempts = 0;
        stage.Engine.Answer("POST /containers/*/start", () =>
            ++attempts == 1
                ? "HTTP/1.1 500 Oh\r\nContent-Length: 60\r\n\r\n{\"message\":\"listen tcp4: bind: address already in use: boo\"}"
                : "HTTP/1.1 204 No Content\r\n\r\n"
        );
        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null);
        Assert.That(attempts, Is.EqualTo(2));
    }

    [Test]
    public async Task A_left_over_of_this_gateway_makes_way(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.Add(
            "spawngate-app.test",
            "running",
            (ContainerLabels.Instance, "mine"),
            (ContainerLabels.Process, "earlier"),
            (ContainerLabels.Run, "r")
        );
        stage.Engine.Add(
            "other-name",
            "exited",
            (ContainerLabels.Instance, "mine"),
            (ContainerLabels.Process, "earlier"),
            (ContainerLabels.Run, "s")
        );
        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null);
        Assert.That(stage.Engine.Containers.Select(each => each.Spec.Length > 0), Is.EqualTo([true]), "the new one and no other");
    }

    [TestCase(null, "which was not created by Spawngate")]
    [TestCase("theirs", "which belongs to another gateway (spawngate.instance=theirs)")]
    public async Task A_container_of_somebody_else_is_never_touched(string? instance, string says, CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        (string, string)[] labels = instance is null ? [] : [(ContainerLabels.Instance, instance), (ContainerLabels.Run, "r")];
        var stranger = stage.Engine.Add("spawngate-app.test", "running", labels);
        var result = await stage.LaunchAsync(cancel);
        Assert.That(result.Error, Does.StartWith("container name spawngate-app.test is taken by container").And.Contain(says));
        Assert.That(stage.Engine.Containers, Is.EqualTo([stranger]));
        Assert.That(stage.Engine.Calls, Has.None.StartsWith("DELETE").And.None.Contains("/kill").And.None.Contains("/stop"));
    }

    /// <summary>
    /// Which container with all labels of this gateway is its own: by its image's labels (null: gone), and by the name in its labels (null:
    /// none, as of earlier versions).
    /// </summary>
    [TestCase("", "app", true)]
    [TestCase("", null, true)]
    [TestCase("other", "app", true, Description = "made by this gateway of an image that was made of another container of this gateway")]
    [TestCase("other", null, true)]
    [TestCase(null, "app", true, Description = "its image was removed from under it")]
    [TestCase(null, null, false)]
    [TestCase("same", "app", false, Description = "run by hand of such an image")]
    [TestCase("same", null, false)]
    [TestCase("", "copied", false, Description = "made by some tool after one of this gateway's")]
    public async Task A_container_that_has_its_labels_of_its_image_is_nobody_elses_business(
        string? instance,
        string? made,
        bool isOurs,
        CancellationToken cancel
    )
    {
        await using var stage = new DockerStage();
        (string, string)[] labels =
        [
            (ContainerLabels.Instance, "mine"),
            (ContainerLabels.Process, "earlier"),
            (ContainerLabels.Run, "same"),
            (ContainerLabels.Host, "app.test"),
        ];
        var container = stage.Engine.Add("app", "running", made is null ? labels : [.. labels, (ContainerLabels.Container, made)]);
        container.ImageId = "sha256:made";
        if (instance is not null)
        {
            stage.Engine.Images["sha256:made"] =
                instance.Length == 0
                    ? []
                    : new()
                    {
                        [ContainerLabels.Instance] = "mine",
                        [ContainerLabels.Process] = "earlier",
                        [ContainerLabels.Run] = instance,
                    };
        }

        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null, "the sweep at its first start");
        Assert.That(stage.Engine.Containers.Contains(container), Is.EqualTo(!isOurs));
        if (!isOurs)
        {
            var taken = await stage.LaunchAsync(cancel, stage.Config(name: "app") with { Route = new BackendRoute("second.test") });
            Assert.That(
                taken.Error,
                Does.StartWith("container name app is taken by container")
                    .And.Contain("which was not created by this gateway although it has its labels (")
            );
            Assert.That(stage.Engine.Containers, Does.Contain(container));
            Assert.That(
                stage.Engine.Calls,
                Has.None.StartsWith($"DELETE /containers/{container.Id}").And.None.EqualTo($"POST /containers/{container.Id}/stop")
            );
        }
    }

    [TestCase(EngineTrouble.Error)]
    [TestCase(EngineTrouble.Garbage)]
    [TestCase(EngineTrouble.Cut)]
    public async Task While_an_image_cannot_be_asked_for_nothing_is_removed(EngineTrouble trouble, CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var container = stage.Engine.Add(
            "app",
            "running",
            (ContainerLabels.Instance, "mine"),
            (ContainerLabels.Run, "r"),
            (ContainerLabels.Container, "app")
        );
        stage.Engine.Trouble("GET /images/*/json", trouble);
        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null);
        Assert.That(stage.Engine.Containers, Does.Contain(container));

        stage.Engine.Trouble("GET /images/*/json", null);
        var removed = stage.Engine.ReachedAsync("DELETE /containers/*");
        stage.Engine.CloseStreams("GET /events");
        await removed.WaitAsync(cancel);
        Assert.That(stage.Engine.Containers, Does.Not.Contain(container), "when the engine is connected anew");
    }

    [Test]
    public async Task Two_backends_with_one_name_do_not_end_each_other(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        Assert.That((await stage.LaunchAsync(cancel)).Error, Is.Null);
        var second = await stage.LaunchAsync(cancel, stage.Config() with { Route = new BackendRoute("other.test") });
        Assert.That(
            second.Error,
            Is.EqualTo("container name spawngate-app.test is taken by the running backend app.test: set container_name")
        );
        Assert.That(stage.Engine.Containers, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task An_end_that_no_event_told_is_read_off_the_list(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var ended = (await stage.LaunchAsync(cancel, stage.Config(name: "one"))).Workload!;
        var removed = (await stage.LaunchAsync(cancel, stage.Config(name: "two"))).Workload!;
        var alive = (await stage.LaunchAsync(cancel, stage.Config(name: "three"))).Workload!;
        stage.Engine.End(stage.Engine.Containers.Single(each => each.Name == "one"), 9, tell: false);
        stage.Engine.Remove(stage.Engine.Containers.Single(each => each.Name == "two"));
        stage.Engine.CloseStreams("GET /events");
        Assert.That((await ended.Exited.WaitAsync(cancel)).Description, Is.EqualTo("exited with status 9"));
        Assert.That((await removed.Exited.WaitAsync(cancel)).Description, Is.EqualTo("was removed by somebody else"));
        Assert.That(alive.Exited.IsCompleted, Is.False);
    }

    [Test]
    public async Task A_container_that_ran_out_of_memory_says_so(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var instance = (await stage.LaunchAsync(cancel)).Workload!;
        var container = stage.Engine.Containers.Single();
        stage.Engine.Send("GET /events", $$$"""{"Action":"oom","Actor":{"ID":"{{{container.Id}}}"}}""" + "\n");
        stage.Engine.End(container, 137);
        Assert.That((await instance.Exited.WaitAsync(cancel)).Description, Is.EqualTo("exited with status 137 (SIGKILL), out of memory"));
    }

    [Test]
    public async Task Nonsense_in_the_event_stream_has_it_opened_again(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var instance = (await stage.LaunchAsync(cancel)).Workload!;
        var again = stage.Engine.ReachedAsync("GET /events");
        stage.Engine.Send("GET /events", "{\"Type\":\n");
        await again.WaitAsync(cancel);
        stage.Engine.Send(
            "GET /events",
            """{"Action":"die"}""" + "\n" + """{"Action":"die","Actor":{"ID":"unknown","Attributes":{}}}""" + "\n\n"
        );
        stage.Engine.End(stage.Engine.Containers.Single(), 4, tell: false);
        stage.Engine.CloseStreams("GET /events");
        Assert.That((await instance.Exited.WaitAsync(cancel)).Code, Is.EqualTo(4));
    }

    [Test]
    public async Task An_engine_that_dies_takes_its_containers_along_and_is_found_when_it_is_back(CancellationToken cancel)
    {
        var engine = new FakeEngine();
        await using var stage = new DockerStage(engine);
        var instance = (await stage.LaunchAsync(cancel)).Workload!;
        engine.Dispose();
        Assert.That((await instance.Exited.WaitAsync(cancel)).Description, Does.StartWith("was lost with its engine ("));
        var waiting = stage.LaunchAsync(cancel, stage.Config());
        Directory.CreateDirectory(Path.GetDirectoryName(engine.Path)!);
        stage.Engine = new FakeEngine(engine.Path);
        Assert.That((await waiting).Error, Is.Null, "a start waits a moment for an engine that was there before");
        Directory.Delete(Path.GetDirectoryName(engine.Path)!, recursive: true);
    }

    [Test]
    public async Task Killing_is_done_even_if_no_event_comes(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var instance = (await stage.LaunchAsync(cancel)).Workload!;
        stage.Engine.Answer("POST /containers/*/kill", static () => "HTTP/1.1 204 No Content\r\n\r\n");
        instance.Kill();
        Assert.That((await instance.Exited.WaitAsync(cancel)).Description, Is.EqualTo("was killed"));
        Assert.That(stage.Engine.Containers, Is.Empty);
    }

    [Test]
    public async Task A_removal_that_somebody_else_began_is_waited_for(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var instance = (await stage.LaunchAsync(cancel)).Workload!;
        var waited = stage.Engine.ReachedAsync("POST /containers/*/wait");
        stage.Engine.Answer("DELETE /containers/*", static () => "HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}");
        stage.Engine.Answer("POST /containers/*/wait", static () => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        instance.Kill();
        await waited.WaitAsync(cancel);
        await instance.Exited.WaitAsync(cancel);
    }

    [TestCase(PullPolicy.Never, "image app:1 is not on the engine, and pull_policy is never", 0)]
    [TestCase(PullPolicy.IfNotPresent, "image app:1 is not on the engine although it was pulled", 1)]
    public async Task A_missing_image_is_an_error_of_its_own(PullPolicy policy, string error, int pulls, CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.Answer("POST /containers/create", static () =>
            "HTTP/1.1 404 Not Found\r\nContent-Length: 34\r\n\r\n{\"message\":\"No such image: app:1\"}"
        );
        Assert.That((await stage.LaunchAsync(cancel, stage.Config(policy))).Error, Is.EqualTo(error));
        Assert.That(stage.Engine.Calls.Count(call => call == "POST /images/create"), Is.EqualTo(pulls));
    }

    [Test]
    public async Task A_pull_that_fails_in_the_middle_says_why(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.Answer("POST /images/create", static () =>
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 106\r\n\r\n{\"status\":\"Pulling\"}\r\n"
            + "{\"errorDetail\":{\"message\":\"unexpected EOF of x\"},\"error\":\"unexpected EOF of x\"}\r\n  \n"
        );
        Assert.That(
            (await stage.LaunchAsync(cancel, stage.Config(PullPolicy.Always))).Error,
            Is.EqualTo("image app:1 cannot be pulled: unexpected EOF of x")
        );
    }

    [Test]
    public async Task A_pull_goes_on_for_the_next_start_when_one_gives_up(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.Trouble("POST /images/create", EngineTrouble.Hang);
        using var impatient = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var reached = stage.Engine.ReachedAsync("POST /images/create");
        var first = stage.LaunchAsync(impatient.Token, stage.Config(PullPolicy.Always));
        await reached.WaitAsync(cancel);
        await impatient.CancelAsync();
        Assert.That((await first).Error, Is.EqualTo("the start was cancelled"));
        var second = stage.LaunchAsync(cancel, stage.Config(PullPolicy.Always));
        while (stage.Requests[^1].Stage.Text?.StartsWith("pulling", StringComparison.Ordinal) != true)
        {
            await Task.Yield();
        }

        stage.Engine.AnswerHanging("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Assert.That((await second).Error, Is.Null);
        Assert.That(stage.Engine.Calls.Count(call => call == "POST /images/create"), Is.EqualTo(1));
    }

    [Test]
    public async Task Without_an_engine_every_socket_that_was_tried_is_named(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        var home = Directory.CreateTempSubdirectory("home-").FullName;
        stage.Variables["HOME"] = home;
        stage.Variables["XDG_RUNTIME_DIR"] = home;
        Directory.CreateDirectory($"{home}/.rd");
        using (var stale = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            stale.Bind(new UnixDomainSocketEndPoint($"{home}/.rd/docker.sock"));
        }

        await File.WriteAllTextAsync($"{home}/.rd/docker.sock", "", cancel);
        var config = stage.Config();
        config = config with { Settings = config.Docker! with { DockerHost = null } };
        if (File.Exists("/var/run/docker.sock"))
        {
            Assert.Ignore("an engine listens at /var/run/docker.sock here");
        }

        var error = (await stage.LaunchAsync(cancel, config)).Error;
        Assert.That(
            error,
            Is.EqualTo(
                $"no Docker engine answers (/var/run/docker.sock: no such file; {home}/.docker/run/docker.sock: no such file; "
                    + $"{home}/.colima/default/docker.sock: no such file; "
                    + $"{home}/.rd/docker.sock: connection refused (nobody listens there); {home}/podman/podman.sock: no such "
                    + "file); docker_host or DOCKER_HOST names another place"
            )
        );
        Directory.CreateDirectory($"{home}/podman");
        using var found = new FakeEngine($"{home}/podman/podman.sock");
        Assert.That((await stage.LaunchAsync(cancel, config)).Error, Is.Null, "the first that answers");
        Directory.Delete(home, recursive: true);
    }

    [TestCase(
        "ssh://host",
        "DOCKER_HOST is \"ssh://host\", which is no address of a Docker engine: allowed are unix:///path and tcp://host:port"
    )]
    [TestCase("unix:///nowhere.sock", "the Docker engine at unix:///nowhere.sock (DOCKER_HOST) does not answer: no such file")]
    public async Task The_environment_names_the_engine(string value, string error, CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Variables["DOCKER_HOST"] = value;
        var config = stage.Config();
        Assert.That(
            (await stage.LaunchAsync(cancel, config with { Settings = config.Docker! with { DockerHost = null } })).Error,
            Is.EqualTo(error)
        );
    }

    [Test]
    public async Task What_answers_and_is_no_engine_is_told_apart(CancellationToken cancel)
    {
        await using var stage = new DockerStage();
        stage.Engine.Answer("GET /_ping", static () => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        Assert.That(
            (await stage.LaunchAsync(cancel)).Error,
            Does.EndWith("what answers is no Docker engine: it names no version of the Engine API")
        );
        stage.Engine.Answer("GET /_ping", static () => "HTTP/1.1 200 OK\r\nApi-Version: 1.12\r\nContent-Length: 2\r\n\r\nOK");
        Assert.That(
            (await stage.LaunchAsync(cancel)).Error,
            Does.EndWith("the engine speaks version 1.12 of the Engine API, at least 1.25 is needed")
        );
    }

    [Test]
    public async Task Containers_call_back_at_a_door_that_opens_nothing_else(CancellationToken cancel)
    {
        var log = new RecordingLog();
        var seen = new List<string>();
        await using var listeners = new ReadyCallbackListeners(
            (host, token) =>
            {
                seen.Add($"{host} {token}");
                return token == "good" ? ReadyCallbackOutcome.Accepted
                    : host == "app.test" ? ReadyCallbackOutcome.Unauthorised
                    : ReadyCallbackOutcome.UnknownHost;
            },
            (host, token, secs) =>
            {
                seen.Add($"{host} {token} for {secs} s");
                return Task.FromResult(token == "good" ? LeaseOutcome.Accepted : LeaseOutcome.Unauthorised);
            },
            log,
            TimeProvider.System
        );
        var use = (await listeners.OpenAsync(IPAddress.Loopback))!;
        var second = (await listeners.OpenAsync(IPAddress.Loopback))!;
        Assert.That(second.EndPoint, Is.EqualTo(use.EndPoint), "one door for all containers of a network");
        using var http = new HttpClient { BaseAddress = new Uri($"http://{use.EndPoint}") };
        async Task<int> Status(HttpMethod method, string path) =>
            (int)
                (
                    await http.SendAsync(new HttpRequestMessage(method, path) { Headers = { Host = "host.docker.internal" } }, cancel)
                ).StatusCode;
        Assert.That(await Status(HttpMethod.Post, "/ready/app.test?token=good"), Is.EqualTo(200));
        Assert.That(await Status(HttpMethod.Post, "/ready/app.test?token=bad"), Is.EqualTo(401));
        Assert.That(await Status(HttpMethod.Post, "/ready/unknown.test"), Is.EqualTo(401), "which hosts there are is not told");
        Assert.That(await Status(HttpMethod.Get, "/ready/app.test?token=good"), Is.EqualTo(405));
        Assert.That(await Status(HttpMethod.Post, "/busy/app.test/good?secs=60"), Is.EqualTo(200));
        Assert.That(await Status(HttpMethod.Post, "/busy/app.test/bad?secs=60"), Is.EqualTo(401));
        Assert.That(await Status(HttpMethod.Post, "/busy/app.test/good"), Is.EqualTo(400));
        Assert.That(await Status(HttpMethod.Get, "/busy/app.test/good?secs=60"), Is.EqualTo(405));
        foreach (var path in new[] { "/", "/health", "/version", "/metrics", "/backends", "/backends/app.test", "/backends/app.test/logs" })
        {
            Assert.That(await Status(HttpMethod.Get, path), Is.EqualTo(404), path);
        }

        Assert.That(await Status(HttpMethod.Post, "/backends/app.test/stop"), Is.EqualTo(404));
        Assert.That(
            seen,
            Is.EqualTo(["app.test good", "app.test bad", "unknown.test ", "app.test good for 60 s", "app.test bad for 60 s"])
        );
        use.Leave();
        use.Leave();
        Assert.That(await Status(HttpMethod.Post, "/ready/app.test?token=good"), Is.EqualTo(200), "the second still uses it");
        await listeners.DisposeAsync();
        Assert.That(async () => await Status(HttpMethod.Get, "/"), Throws.InstanceOf<HttpRequestException>());
    }

    [Test]
    public async Task A_door_needs_an_address_of_this_machine()
    {
        await using var listeners = new ReadyCallbackListeners(
            static (_, _) => ReadyCallbackOutcome.Accepted,
            static (_, _, _) => Task.FromResult(LeaseOutcome.Accepted),
            new RecordingLog(),
            TimeProvider.System
        );
        Assert.That(await listeners.OpenAsync(IPAddress.Parse("192.0.2.77")), Is.Null);
    }

    [Test]
    public async Task The_guard_removes_what_is_of_the_dead_process_and_nothing_else(CancellationToken cancel)
    {
        using var engine = new FakeEngine();
        engine.Add("mine", "running", (ContainerLabels.Process, "dead"), (ContainerLabels.Run, "r"), (ContainerLabels.Grace, "1"));
        engine.Add("mine-too", "created", (ContainerLabels.Process, "dead"), (ContainerLabels.Run, "s"));
        var other = engine.Add("other", "running", (ContainerLabels.Process, "alive"), (ContainerLabels.Run, "t"));
        var stranger = engine.Add("stranger", "running", (ContainerLabels.Process, "dead"), (ContainerLabels.Run, "r"));
        engine.Images["sha256:committed"] = stranger.Labels;
        stranger.ImageId = "sha256:committed";
        var left = new GuardedResource("docker", "dead", $"unix://{engine.Path}");
        Assert.That(
            await RegisteredKinds.EndOrphansAsync(left, TimeProvider.System).WaitAsync(cancel),
            Is.EqualTo(new OrphansEnded(2, "The gateway's containers have been removed"))
        );
        Assert.That(engine.Containers, Is.EquivalentTo([other, stranger]));
        Assert.That(engine.Calls, Has.None.Contains($"/containers/{stranger.Id}"), "neither asked to end nor removed");
        Assert.That(
            await RegisteredKinds.EndOrphansAsync(left with { Address = "unix:///nowhere.sock" }, TimeProvider.System),
            Is.EqualTo(new OrphansEnded(0, "Containers are left for the next start of the gateway: no such file"))
        );
        Assert.That(
            await RegisteredKinds.EndOrphansAsync(left with { Kind = "scripted" }, TimeProvider.System),
            Is.EqualTo(new OrphansEnded(0, "What is there is left for the next start of the gateway: nothing here ends it")),
            "a kind that this program does not have"
        );
    }

    /// <summary>Removals are done beside what follows an end.</summary>
    private static async Task RemovedAsync(DockerStage stage, CancellationToken cancel)
    {
        while (true)
        {
            // Asked for before looking, or a removal in between would be waited for in vain.
            var removed = stage.Engine.ReachedAsync("DELETE /containers/*");
            if (stage.Engine.Containers.Count == 0)
            {
                return;
            }

            await removed.WaitAsync(cancel);
        }
    }
}
