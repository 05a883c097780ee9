namespace Spawngate.Config;

/// <summary>
/// Variables that decide which code a program runs, or where it looks for its files: whoever sets one of them runs code of their choice as the user of that program. Collected from what
/// the loader of glibc ignores in programs with more rights than their caller (<c>unsecvars.h</c>), from what sudo removes (<c>env.c</c>), and from the manuals of common runtimes. No
/// such list is ever complete, so patterns should be as narrow as <c>SESSION_*</c>; this one is there because some are not.
/// </summary>
internal static class SteeringVariables
{
    /// <summary>Beginnings of names.</summary>
    private static readonly string[] Families =
    [
        // Loaders, C libraries, and what compilers build in.
        "LD_", "_RLD", "LDR_", "DYLD_", "GLIBC_", "GCONV_", "RES_", "RESOLV_", "MALLOC_", "_RJEM_", "ASAN_", "LSAN_", "MSAN_", "TSAN_",
        "UBSAN_", "GCOV_", "LLVM_", "OMP_", "KMP_", "UV_",

        // Shells, and tools that start others.
        "BASH", "SUDO_", "SSH_", "GIT_", "SVN_", "CVS_", "RSYNC_",

        // Interpreters, runtimes, and their package managers.
        "PYTHON", "PIP_", "PIPENV_", "CONDA_", "POETRY_", "VIRTUAL_ENV", "PERL", "PAR_", "RUBY", "GEM_", "BUNDLE_", "NODE_", "NPM_",
        "YARN_", "PNPM_", "COREPACK_", "TS_NODE_", "BUN_", "DENO_", "ELECTRON_", "JAVA_", "_JAVA_", "JDK_", "JRE_", "JVM_", "IBM_JAVA_",
        "OPENJ9_", "MAVEN_", "GRADLE_", "CATALINA_", "GROOVY_", "LEIN_", "DOTNET_", "ASPNETCORE_", "COMPLUS_", "CORECLR_", "COR_", "MONO_",
        "NUGET_", "MSBUILD", "PHP", "COMPOSER_", "LUA_", "ERL_", "ELIXIR_", "MIX_", "R_", "JULIA_", "TCL", "GUILE_", "OCAML", "CAML", "GHC",
        "CARGO_", "RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTUP_", "AWK", "EMACS", "VIM",

        // Servers and frameworks of web programs, and what runs them: their options name modules, classes, files or commands.
        "GUNICORN_", "UVICORN_", "HYPERCORN", "UWSGI_", "FLASK_", "DJANGO_", "WERKZEUG_", "CELERY_", "JUPYTER", "IPYTHON", "MPL", "STREAMLIT_",
        "RAILS_", "RACK_", "PUMA_", "THOR_", "BOOTSNAP_", "PM2_", "VSCODE_", "SPRING_", "QUARKUS_", "MICRONAUT_", "LOGGING_",

        // Libraries that load plugins, or whose configuration names programs.
        "OPENSSL_", "SSL_", "GNUTLS_", "NSS_", "KRB5", "P11_KIT_", "PKCS11", "SOFTHSM", "GNUPG", "CURL_", "GTK", "GDK_", "GIO_", "GST_",
        "GSETTINGS_", "DBUS_", "QT_", "QML", "LIBGL_", "LIBVA_", "VDPAU_", "MESA_", "VK_", "OCL_ICD_", "ALSA_", "PIPEWIRE_", "MAGICK_",
        "FONTCONFIG_", "GDAL_", "ODBC",

        // Where a program finds its own files, and what gateways, service managers and engines tell their programs.
        "XDG_", "SPAWNGATE_", "SERVERLESS_PROXY_", "LISTEN_", "WATCHDOG_", "SYSTEMD_", "DOCKER_", "CONTAINERS_", "KUBE",
    ];

    /// <summary>Whole names.</summary>
    private static readonly string[] Names =
    [
        "PATH", "PATHEXT", "PATH_LOCALE", "LIBPATH", "SHLIB_PATH", "CLASSPATH", "LOCPATH", "NLSPATH", "NIS_PATH", "GETCONF_DIR",
        "HOSTALIASES", "LOCALDOMAIN", "TZDIR", "GMON_OUT_PREFIX", "CPUPROFILE", "HEAPPROFILE", "ENV", "IFS", "SHELL", "SHELLOPTS",
        "GLOBIGNORE", "FIGNORE", "HISTFILE", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS3", "PS4", "FPATH", "CDPATH", "ZDOTDIR", "NULLCMD",
        "READNULLCMD", "COMSPEC", "PSMODULEPATH", "LESS", "LESSOPEN", "LESSCLOSE", "LESSEDIT", "MANPATH", "MANPAGER", "PAGER", "EDITOR",
        "VISUAL", "EXINIT", "BROWSER", "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "TERMPATH", "HGRCPATH", "MAKEFLAGS", "MAKEFILES", "MFLAGS",
        "GODEBUG", "GOFLAGS", "GOROOT", "GOPATH", "GOENV", "GOPROXY", "GOTOOLCHAIN", "GOTRACEBACK", "SBT_OPTS", "ANT_OPTS", "AUTHSTATE",
        "VAR_ACE", "USR_ACE", "DLC_ACE", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "SASL_PATH", "SPA_PLUGIN_DIR", "XLOCALEDIR", "XAUTHORITY",
        "HDF5_PLUGIN_PATH", "CUDA_INJECTION64_PATH", "ORACLE_HOME", "TNS_ADMIN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
        "GOOGLE_APPLICATION_CREDENTIALS", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY", "HOME", "HOMEDRIVE",
        "HOMEPATH", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "SYSTEMROOT", "WINDIR", "TMP", "TMPDIR",
        "TMPPREFIX", "TEMP", "NOTIFY_SOCKET", "FDSTORE", "MAINPID", "INVOCATION_ID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY",
        "CONTAINER_HOST",
    ];

    /// <summary>Whether a name is one of them, in whatever case: some systems and programs do not tell.</summary>
    public static bool Contains(string name) =>
        Families.Any(family => name.StartsWith(family, StringComparison.OrdinalIgnoreCase)) || Names.Contains(name, StringComparer.OrdinalIgnoreCase);
}
