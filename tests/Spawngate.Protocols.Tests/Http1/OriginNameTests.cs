using System.Text;
using Spawngate.Protocols.Http1;

namespace Spawngate.Protocols.Tests.Http1;

/// <summary>The names by which a backend could be told another origin.</summary>
internal sealed class OriginNameTests
{
    private static readonly string[] Origins =
    [
        "Forwarded",
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Ssl",
        "X-Forwarded-Scheme",
        "X-Forwarded-Server",
        "X-Forwarded-By",
        "X-Forwarded-",
    ];

    [TestCaseSource(nameof(Origins))]
    public void Are_known_in_every_spelling(string name)
    {
        // Each sign as it is or as an underscore, each letter as it is, in upper or in lower case.
        int signs = name.Count(c => c == '-');
        for (int mask = 0; mask < 1 << signs; mask++)
        {
            int at = 0;
            string folded = string.Concat(name.Select(c => c == '-' && (mask >> at++ & 1) == 1 ? '_' : c));
            foreach (
                string spelled in new[]
                {
                    folded,
                    folded.ToUpperInvariant(),
                    folded.ToLowerInvariant(),
                    folded.Replace('_', '.'),
                    folded.Replace('-', '!'),
                }
            )
            {
                bool plain = spelled.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');
                Assert.That(
                    (KnownHeaders.TellsOrigin(Bytes(spelled)), KnownHeaders.IsForwardedLookalike(Bytes(spelled))),
                    Is.EqualTo((true, !plain)),
                    spelled
                );
                Assert.That(KnownHeaders.IsForbiddenInTrailer(Bytes(spelled)), spelled);
            }
        }
    }

    [TestCase("X_Request_ID", false, true)]
    [TestCase("x-request_id", false, true)]
    [TestCase("X-Forwarded-For_", true, true)]
    [TestCase("X-Request-ID", false, false)]
    [TestCase("X-Forwarded", false, false)]
    [TestCase("XForwardedFor", false, false)]
    [TestCase("X-ForwardedFor", false, false)]
    [TestCase("Forwarded-", false, false)]
    [TestCase("Y-Forwarded-For", false, false)]
    [TestCase("X-Real-I", false, false)]
    [TestCase("X-Real-IPs", false, false)]
    [TestCase("Xa-Forwarded-For", false, false)]
    [TestCase("X-Forwarde_d-For", false, false)]
    [TestCase("F", false, false)]
    [TestCase("From", false, false)]
    public void Other_names_are_not_taken_for_them(string name, bool origin, bool lookalike) =>
        Assert.That(
            (KnownHeaders.TellsOrigin(Bytes(name)), KnownHeaders.IsForwardedLookalike(Bytes(name))),
            Is.EqualTo((origin, lookalike))
        );

    private static byte[] Bytes(string name) => Encoding.ASCII.GetBytes(name);
}
