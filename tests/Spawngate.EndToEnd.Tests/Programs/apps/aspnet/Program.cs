using System.Net.WebSockets;

var builder = WebApplication.CreateBuilder(args);
var app = builder.Build();
app.UseWebSockets();

app.MapGet("/", () => "Hello World!");

app.MapPost("/echo", async (HttpRequest request) => await new StreamReader(request.Body).ReadToEndAsync());

app.MapGet("/rows", async (HttpContext context, int? ms) =>
{
    using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(ms ?? 50));
    for (int row = 1; row <= 100; row++)
    {
        await context.Response.WriteAsync($"row {row}\n");
        await timer.WaitForNextTickAsync();
    }
});

app.Map("/ws", async (HttpContext context) =>
{
    using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
    var buffer = new byte[4096];
    while (await socket.ReceiveAsync(buffer, default) is { MessageType: not WebSocketMessageType.Close } received)
    {
        await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, true, default);
    }

    await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
});

app.Run();
