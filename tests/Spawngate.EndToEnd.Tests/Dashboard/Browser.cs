using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Dashboard;

/// <summary>A headless Chromium with one page, told what to do by its DevTools protocol.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private const string Announcement = "DevTools listening on ";

    private readonly Process _process;
    private readonly ClientWebSocket _socket = new();
    private readonly SemaphoreSlim _sending = new(1);
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode?>> _calls = new();
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly ConcurrentQueue<string> _faults = new();
    private Task _reading = Task.CompletedTask;
    private string? _session;
    private int _next;

    private Browser(Process process) => _process = process;

    /// <summary>Addresses of everything the page has asked for.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>Errors of the page's script, and what its policy refused.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    /// <summary>Starts it; the test is skipped where there is none.</summary>
    /// <param name="folder">An empty folder for its profile.</param>
    public static async Task<Browser> StartAsync(string folder)
    {
        string program = Executables.Find("chromium") ?? Executables.FindOrSkip("chromium-browser");
        string[] flags =
        [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding",
            "--remote-debugging-port=0",
            $"--user-data-dir={folder}",
            "about:blank",
        ];
        var browser = new Browser(
            Process.Start(new ProcessStartInfo(program, flags) { RedirectStandardError = true, RedirectStandardOutput = true })!
        );
        try
        {
            await browser.ConnectAsync();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>Goes to an address and waits until the page is there.</summary>
    public async Task OpenAsync(string address)
    {
        await CallAsync("Page.navigate", new JsonObject { ["url"] = address });
        await UntilAsync($"location.href === {JsonSerializer.Serialize(address)} && document.readyState === 'complete'");
    }

    /// <summary>Value of an expression of JavaScript; a promise is awaited.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression)
    {
        JsonNode? result = await CallAsync(
            "Runtime.evaluate",
            new JsonObject
            {
                ["expression"] = expression,
                ["awaitPromise"] = true,
                ["returnByValue"] = true,
                ["userGesture"] = true,
            }
        );
        Assert.That(result?["exceptionDetails"], Is.Null, $"{expression}: {result?["exceptionDetails"]?.ToJsonString()}");
        return result?["result"]?["value"];
    }

    /// <summary>The same as text.</summary>
    public async Task<string> TextAsync(string expression) => (await EvaluateAsync(expression))?.ToString() ?? "";

    /// <summary>Waits in the page until an expression is true.</summary>
    public async Task UntilAsync(string expression)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            // The page looks at every frame; the wait is cut where a navigation takes the page away.
            string wait =
                $"new Promise(done => {{ let left = 120; const look = () => ({expression}) ? done(true) : left-- ? "
                + $"setTimeout(look, 16) : done(false); look(); }})";
            JsonNode? result = await CallAsync(
                "Runtime.evaluate",
                new JsonObject
                {
                    ["expression"] = wait,
                    ["awaitPromise"] = true,
                    ["returnByValue"] = true,
                }
            );
            if (result?["result"]?["value"]?.ToString() == "true")
            {
                return;
            }

            if (Stopwatch.GetElapsedTime(began) > Patience.Default)
            {
                throw new TimeoutException(
                    $"the page never came to: {expression}\n{await TextAsync("document.body.innerText")}\n{string.Join('\n', Faults)}"
                );
            }
        }
    }

    /// <summary>Presses a key.</summary>
    public async Task PressAsync(string key)
    {
        string text = key.Length == 1 ? key : "";
        await CallAsync(
            "Input.dispatchKeyEvent",
            new JsonObject
            {
                ["type"] = "keyDown",
                ["key"] = key,
                ["text"] = text,
                ["code"] = key,
                ["windowsVirtualKeyCode"] = VirtualKey(key),
            }
        );
        await CallAsync(
            "Input.dispatchKeyEvent",
            new JsonObject
            {
                ["type"] = "keyUp",
                ["key"] = key,
                ["code"] = key,
                ["windowsVirtualKeyCode"] = VirtualKey(key),
            }
        );
    }

    /// <summary>Makes the page look as on a screen of that size.</summary>
    public async Task ShowAsAsync(int width, int height, bool dark)
    {
        await CallAsync(
            "Emulation.setDeviceMetricsOverride",
            new JsonObject
            {
                ["width"] = width,
                ["height"] = height,
                ["deviceScaleFactor"] = 1,
                ["mobile"] = width < 600,
            }
        );
        await CallAsync(
            "Emulation.setEmulatedMedia",
            new JsonObject
            {
                ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = dark ? "dark" : "light" }),
            }
        );
    }

    /// <summary>A picture of the page as it is shown.</summary>
    public async Task<byte[]> PictureAsync() =>
        Convert.FromBase64String((await CallAsync("Page.captureScreenshot", new JsonObject { ["format"] = "png" }))!["data"]!.ToString());

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync().InTimeAsync("end of the browser");
        _process.Dispose();
        await _reading.ContinueWith(static _ => { }, TaskScheduler.Default);
        _sending.Dispose();
    }

    private static int VirtualKey(string key) =>
        key switch
        {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "/" => 191,
            _ => char.ToUpperInvariant(key[0]),
        };

    private async Task ConnectAsync()
    {
        var address = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is null)
            {
                address.TrySetException(new IOException("the browser ended"));
            }
            else if (line.Data.StartsWith(Announcement, StringComparison.Ordinal))
            {
                address.TrySetResult(line.Data[Announcement.Length..].Trim());
            }
        };
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        await _socket
            .ConnectAsync(new Uri(await address.Task.InTimeAsync("the browser's address")), CancellationToken.None)
            .InTimeAsync("the browser's answer");
        _reading = ReadAsync();
        JsonNode? target = await CallAsync("Target.createTarget", new JsonObject { ["url"] = "about:blank" });
        JsonNode? attached = await CallAsync(
            "Target.attachToTarget",
            new JsonObject { ["targetId"] = target!["targetId"]!.ToString(), ["flatten"] = true }
        );
        _session = attached!["sessionId"]!.ToString();
        foreach (string domain in (string[])["Page", "Runtime", "Network", "Log"])
        {
            await CallAsync(domain + ".enable", []);
        }
    }

    private async Task<JsonNode?> CallAsync(string method, JsonObject parameters)
    {
        int id = Interlocked.Increment(ref _next);
        var call = new JsonObject
        {
            ["id"] = id,
            ["method"] = method,
            ["params"] = parameters,
        };
        if (_session is not null)
        {
            call["sessionId"] = _session;
        }

        var answer = new TaskCompletionSource<JsonNode?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _calls[id] = answer;
        await _sending.WaitAsync();
        try
        {
            await _socket.SendAsync(
                Encoding.UTF8.GetBytes(call.ToJsonString()),
                WebSocketMessageType.Text,
                endOfMessage: true,
                CancellationToken.None
            );
        }
        finally
        {
            _sending.Release();
        }

        return await answer.Task.InTimeAsync($"the browser's answer to {method}");
    }

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[64 * 1024];
        var message = new MemoryStream();
        try
        {
            while (true)
            {
                ValueWebSocketReceiveResult part = await _socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
                await message.WriteAsync(buffer.AsMemory(0, part.Count));
                if (part.EndOfMessage)
                {
                    Take(JsonNode.Parse(message.ToArray())!);
                    message.SetLength(0);
                }
            }
        }
        catch (Exception e)
            when (e is WebSocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            foreach (TaskCompletionSource<JsonNode?> call in _calls.Values)
            {
                call.TrySetException(new IOException("the browser is gone", e));
            }
        }
    }

    private void Take(JsonNode message)
    {
        if (message["id"] is { } id && _calls.TryRemove(id.GetValue<int>(), out TaskCompletionSource<JsonNode?>? call))
        {
            // An execution context that a navigation takes away ends a wait without a value: the caller looks again.
            call.TrySetResult(message["result"]);
            return;
        }

        switch (message["method"]?.ToString())
        {
            case "Network.requestWillBeSent":
                _requests.Enqueue(message["params"]!["request"]!["url"]!.ToString());
                break;
            case "Runtime.exceptionThrown":
                _faults.Enqueue(message["params"]!["exceptionDetails"]!.ToJsonString());
                break;
            case "Log.entryAdded" when message["params"]!["entry"]!["level"]!.ToString() == "error":
                _faults.Enqueue(message["params"]!["entry"]!["text"]!.ToString());
                break;
        }
    }
}
