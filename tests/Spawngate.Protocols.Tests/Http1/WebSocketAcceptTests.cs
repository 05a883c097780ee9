using System.Security.Cryptography;
using System.Text;
using Spawngate.Protocols.Http1;

namespace Spawngate.Protocols.Tests.Http1;

/// <summary>The answer to a WebSocket's key.</summary>
internal sealed class WebSocketAcceptTests
{
    [Test]
    public void The_example_of_RFC_6455_is_answered_as_there() =>
        Assert.That(WebSocketAccept.Answers("dGhlIHNhbXBsZSBub25jZQ=="u8, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="u8));

    [Test]
    public void Any_key_is_answered_like_by_the_library()
    {
        var random = new Random(13);
        byte[] nonce = new byte[16];
        for (int i = 0; i < 1000; i++)
        {
            random.NextBytes(nonce);
            byte[] key = Encoding.ASCII.GetBytes(Convert.ToBase64String(nonce));
            byte[] accept = Encoding.ASCII.GetBytes(
                Convert.ToBase64String(SHA1.HashData([.. key, .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8]))
            );
            Assert.That(WebSocketAccept.Answers(key, accept), Is.True);
            accept[random.Next(accept.Length)]++;
            Assert.That(WebSocketAccept.Answers(key, accept), Is.False);
        }

        Assert.That(WebSocketAccept.Answers("dGhlIHNhbXBsZSBub25jZQ=="u8, default), Is.False);
    }
}
