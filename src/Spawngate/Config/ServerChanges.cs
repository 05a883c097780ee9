namespace Spawngate.Config;

/// <summary>Names the keys of <c>[server]</c> that differ between two configurations.</summary>
internal static class ServerChanges
{
    /// <summary>Full key paths, in the order of the documentation.</summary>
    public static IEnumerable<string> Between(ServerConfig before, ServerConfig after)
    {
        (string Key, bool Changed)[] keys =
        [
            ("port", before.Port != after.Port),
            ("bind", !before.Bind.Equals(after.Bind)),
            ("admin_port", before.AdminPort != after.AdminPort),
            ("admin_bind", !before.AdminBind.Equals(after.AdminBind)),
            ("admin_token", before.AdminToken != after.AdminToken),
            ("pool_max_idle_per_host", before.PoolMaxIdlePerHost != after.PoolMaxIdlePerHost),
            ("pool_idle_timeout_secs", before.PoolIdleTimeoutSecs != after.PoolIdleTimeoutSecs),
            ("pid_file", before.PidFile != after.PidFile),
            ("trusted_proxies", !before.TrustedProxies.SequenceEqual(after.TrustedProxies)),
            ("max_connections", before.MaxConnections != after.MaxConnections),
            ("max_header_bytes", before.MaxHeaderBytes != after.MaxHeaderBytes),
            ("max_headers", before.MaxHeaders != after.MaxHeaders),
            ("header_timeout_secs", before.HeaderTimeoutSecs != after.HeaderTimeoutSecs),
            ("keep_alive_timeout_secs", before.KeepAliveTimeoutSecs != after.KeepAliveTimeoutSecs),
        ];
        return keys.Where(static key => key.Changed).Select(static key => $"server.{key.Key}");
    }
}
