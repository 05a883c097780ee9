using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Spawngate.Platform;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// TLS to an engine as Docker's own client speaks it: a folder has <c>ca.pem</c>, which proves the engine to us, and <c>cert.pem</c> with
/// <c>key.pem</c>, which prove us to the engine. They are read at each connection, so that renewed ones are used at once.
/// </summary>
internal static class EngineTls
{
    private const string Authority = "ca.pem";
    private const string Certificate = "cert.pem";
    private const string Key = "key.pem";

    /// <summary>The files that have to be there.</summary>
    public static readonly string[] Files = [Authority, Certificate, Key];

    /// <summary>Begins TLS on a connection, which is closed when that fails.</summary>
    /// <param name="stream">The connection.</param>
    /// <param name="host">The name or address that the engine's certificate has to have.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="AuthenticationException">No TLS is to be had, for the reason that it gives.</exception>
    public static async Task<Stream> BeginAsync(Stream stream, string host, string folder, CancellationToken cancel)
    {
        var secure = new SslStream(stream);
        try
        {
            await AuthenticateAsync(secure, OptionsFor(host, folder), cancel).ConfigureAwait(false);
            return secure;
        }
        catch
        {
            await secure.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task AuthenticateAsync(SslStream secure, SslClientAuthenticationOptions options, CancellationToken cancel)
    {
        try
        {
            await secure.AuthenticateAsClientAsync(options, cancel).ConfigureAwait(false);
        }
        catch (AuthenticationException e)
        {
            throw new AuthenticationException($"TLS to the engine fails: {(e.InnerException ?? e).Message}", e);
        }
    }

    private static SslClientAuthenticationOptions OptionsFor(string host, string folder)
    {
        if (TlsLibrary.Problem is { } problem)
        {
            throw new AuthenticationException($"TLS to the engine is not possible: {problem}");
        }

        foreach (var file in Files)
        {
            if (!File.Exists(Path.Combine(folder, file)))
            {
                throw new AuthenticationException($"TLS to the engine needs {Path.Combine(folder, file)}, and there is no such file");
            }
        }

        try
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            policy.CustomTrustStore.ImportFromPemFile(Path.Combine(folder, Authority));
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(Path.Combine(folder, Certificate));
            var own = X509Certificate2.CreateFromPemFile(Path.Combine(folder, Certificate), Path.Combine(folder, Key));
            return new SslClientAuthenticationOptions
            {
                TargetHost = host,
                CertificateChainPolicy = policy,
                ClientCertificateContext = SslStreamCertificateContext.Create(own, chain, offline: true),
            };
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new AuthenticationException($"TLS to the engine needs what is in {folder}, and that cannot be used: {e.Message}", e);
        }
    }
}
