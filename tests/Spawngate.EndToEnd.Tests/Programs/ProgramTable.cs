namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>The programs. What users have to write for each stands in docs/programs.md.</summary>
internal static class ProgramTable
{
    /// <summary>Those whose packages are small.</summary>
    public static IEnumerable<RealProgram> Small => [.. Python, .. Node, .. PhpRubyPerl, .. Compiled, .. FileServers];

    private static RealProgram[] Python =>
        [
            new("http.server", "python3", "-m", "http.server", "$PORT") { App = "http-server-py", Files = "." },
            new("HTTPServer with HTTP/1.1", "python3", "server.py")
            {
                App = "python-http11",
                Echo = "/echo",
                Rows = true,
                OneAtATime = true,
            },
            new("Flask", "flask", "--app", "hello", "run", "--port", "$PORT")
            {
                App = "flask",
                Needs = ["python:flask"],
                Echo = "/echo",
                Rows = true,
                Events = true,
            },
            new("Flask with its reloader", "flask", "--app", "hello", "--debug", "run", "--port={port}")
            {
                App = "flask",
                Needs = ["python:flask"],
                Echo = "/echo",
                Rows = true,
            },
            new("gunicorn sync", "gunicorn", "myapp:app")
            {
                App = "wsgi",
                Needs = ["gunicorn"],
                Echo = "/echo",
                Rows = true,
                OneAtATime = true,
            },
            new("gunicorn threads", "gunicorn", "--threads", "4", "myapp:app")
            {
                App = "wsgi",
                Needs = ["gunicorn"],
                Echo = "/echo",
                Rows = true,
            },
            new("waitress", "waitress-serve", "--listen=127.0.0.1:{port}", "myapp:app")
            {
                App = "wsgi",
                Needs = ["waitress-serve"],
                Echo = "/echo",
                Rows = true,
            },
            new("Django", "python3", "manage.py", "runserver", "$PORT")
            {
                App = "django",
                Needs = ["python:django"],
                Says = "polls",
                Echo = "/echo",
                Rows = true,
            },
            new("FastAPI with uvicorn", "uvicorn", "main:app", "--port", "$PORT")
            {
                App = "fastapi",
                Needs = ["uvicorn", "python:fastapi", "python:websockets"],
                Echo = "/echo",
                Rows = true,
                Events = true,
                WebSocket = new Talk("/ws", "hi", "Message text was: hi"),
            },
            new("aiohttp", "python3", "-m", "aiohttp.web", "-H", "localhost", "-P", "$PORT", "server:init_func")
            {
                App = "aiohttp",
                Needs = ["python:aiohttp"],
                Echo = "/echo",
                Rows = true,
                WebSocket = new Talk("/ws", "hi", "hi/answer"),
            },
            new("Tornado", "python3", "main.py")
            {
                App = "tornado",
                Needs = ["python:tornado"],
                OwnPort = 8888,
                Echo = "/",
                Rows = true,
                WebSocket = new Talk("/ws", "hi", "You said: hi"),
            },
            new("Bottle", "python3", "hello.py")
            {
                App = "bottle",
                Needs = ["python:bottle"],
                OwnPort = 8080,
                Echo = "/echo",
                Rows = true,
                OneAtATime = true,
            },
        ];

    private static RealProgram[] Node =>
        [
            new("Node", "node", "server.js")
            {
                App = "node",
                Needs = ["node"],
                OwnPort = 3000,
                Echo = "/echo",
                Rows = true,
            },
            new("npm start", "npm", "start")
            {
                App = "npm-start",
                Needs = ["npm"],
                Echo = "/echo",
                Rows = true,
            },
            new("node --watch", "node", "--watch", "server.js")
            {
                App = "npm-start",
                Needs = ["node"],
                Echo = "/echo",
                Rows = true,
            },
            new("nodemon", "npx", "nodemon", "server.js")
            {
                App = "npm-start",
                Needs = ["npx", "npm:nodemon"],
                Echo = "/echo",
                Rows = true,
            },
            new("Node cluster", "node", "server.js")
            {
                App = "node-cluster",
                Needs = ["node"],
                Echo = "/echo",
                Rows = true,
            },
            new("Express", "node", "app.js")
            {
                App = "express",
                Needs = ["node", "npm:express"],
                OwnPort = 3000,
                Echo = "/echo",
                Rows = true,
            },
            new("Koa", "node", "app.js")
            {
                App = "koa",
                Needs = ["node", "npm:koa"],
                OwnPort = 3000,
                Echo = "/echo",
                Rows = true,
            },
            new("Fastify", "node", "server.js")
            {
                App = "fastify",
                Needs = ["node", "npm:fastify"],
                OwnPort = 3000,
                Says = "world",
                Echo = "/echo",
                Rows = true,
                Events = true,
            },
            new("Socket.IO", "node", "index.js")
            {
                App = "socket.io",
                Needs = ["node", "npm:socket.io", "npm:express"],
                OwnPort = 3000,
                WebSocket = new Talk("/socket.io/?EIO=4&transport=websocket", "40", "40{\"sid\""),
            },
            new("json-server", "npx", "json-server", "db.json")
            {
                Needs = ["npx", "npm:json-server"],
                OwnPort = 3000,
                Says = "JSON Server",
                Echo = "/posts",
                Posted = "{\n  \"title\": \"posted\",\n  \"id\": 2\n}",
            },
            new("http-server", "npx", "http-server")
            {
                App = "http-server-npm",
                Needs = ["npx", "npm:http-server"],
                Files = "public",
            },
            new("esbuild --serve", "npx", "esbuild", "app.js", "--bundle", "--outdir=.", "--servedir=.", "--serve=127.0.0.1:$PORT")
            {
                App = "esbuild",
                Host = "localhost",
                Needs = ["npx", "npm:esbuild"],
                Files = ".",
            },
        ];

    private static RealProgram[] PhpRubyPerl =>
        [
            new("php -S", "php", "-S", "localhost:$PORT")
            {
                App = "php",
                Needs = ["php"],
                Echo = "/echo",
                Rows = true,
                OneAtATime = true,
            },
            new("Sinatra with Puma", "ruby", "myapp.rb")
            {
                App = "sinatra",
                Needs = ["ruby:sinatra/base", "puma"],
                Echo = "/echo",
                Rows = true,
            },
            new("Puma", "puma", "-p", "$PORT")
            {
                App = "rack",
                Needs = ["puma"],
                Echo = "/echo",
                Rows = true,
            },
            new("Rack", "rackup", "-p", "$PORT")
            {
                App = "rack",
                Needs = ["rackup", "puma"],
                Echo = "/echo",
                Rows = true,
            },
            new("Unicorn", "unicorn", "-p", "$PORT")
            {
                App = "rack",
                Needs = ["unicorn"],
                Echo = "/echo",
                Rows = true,
                OneAtATime = true,
            },
            new("WEBrick", "ruby", "server.rb")
            {
                App = "webrick",
                Needs = ["ruby:webrick"],
                OwnPort = 8000,
                Echo = "/echo",
                Rows = true,
            },
            new("ruby -run -e httpd", "ruby", "-run", "-e", "httpd", ".", "-p", "$PORT")
            {
                App = "http-server-py",
                Needs = ["ruby:webrick"],
                Files = ".",
            },
            new("Mojolicious", "perl", "myapp.pl", "daemon", "-l", "http://127.0.0.1:$PORT")
            {
                App = "mojolicious",
                Needs = ["/usr/share/perl5/Mojolicious.pm"],
                Echo = "/echo",
                Rows = true,
                WebSocket = new Talk("/ws", "hi", "echo: hi"),
            },
            new("plackup", "plackup", "--port", "$PORT", "app.psgi")
            {
                App = "psgi",
                Needs = ["plackup"],
                Echo = "/echo",
                Rows = true,
                OneAtATime = true,
            },
        ];

    private static RealProgram[] Compiled =>
        [
            new("Java HttpServer", "java", "Server.java")
            {
                App = "java",
                Needs = ["javac"],
                OwnPort = 8000,
                Says = "This is the response",
                Echo = "/echo",
                Rows = true,
                OneAtATime = true,
            },
            new("ASP.NET Core", "dotnet", "out/aspnet.dll")
            {
                App = "aspnet",
                Needs = ["dotnet"],
                OwnPort = 5000,
                Build = "dotnet build -o out -nologo -v quiet",
                Echo = "/echo",
                Rows = true,
                WebSocket = new Talk("/ws", "hi", "hi"),
            },
            new("C, static", "./server")
            {
                App = "c",
                Needs = ["gcc"],
                Build = "gcc -static -O2 -D_GNU_SOURCE -o server server.c",
                Echo = "/echo",
                Rows = true,
                OneAtATime = true,
            },
            new("A shell script", "./start.sh") { App = "shell" },
        ];

    private static RealProgram[] FileServers =>
        [
            new("Caddy", "caddy", "run")
            {
                App = "caddy",
                Needs = ["caddy"],
                OwnPort = 8080,
                Files = ".",
            },
            new("Caddy with PORT", "caddy", "run")
            {
                App = "caddy-port",
                Needs = ["caddy"],
                Files = "site",
            },
            new("nginx", "nginx", "-p", ".", "-c", "nginx.conf", "-g", "daemon off;")
            {
                App = "nginx",
                Needs = ["nginx"],
                OwnPort = 8080,
                Files = "site",
            },
            new("lighttpd", "lighttpd", "-D", "-f", "lighttpd.conf")
            {
                App = "lighttpd",
                Needs = ["lighttpd"],
                OwnPort = 3000,
                Files = "site",
            },
            new("Apache", "apache2", "-d", ".", "-f", "httpd.conf", "-D", "FOREGROUND")
            {
                App = "apache",
                Needs = ["apache2"],
                OwnPort = 8080,
                Files = "site",
            },
            new("BusyBox httpd", "busybox", "httpd", "-f", "-p", "127.0.0.1:$PORT")
            {
                App = "http-server-py",
                Needs = ["busybox"],
                Files = ".",
            },
        ];

    /// <summary>Those with large packages, or that need minutes to be built.</summary>
    public static IEnumerable<RealProgram> Large =>
        [
            new("next dev", "npm", "run", "dev")
            {
                App = "next",
                Needs = ["npm", "npm-large:next"],
                InsidePackages = true,
                Echo = "/echo",
                Rows = true,
            },
            new("next start", "npm", "start")
            {
                App = "next",
                Needs = ["npm", "npm-large:next"],
                InsidePackages = true,
                Build = "npm run build",
                Echo = "/echo",
                Rows = true,
            },
            new("Vite", "npm", "run", "dev")
            {
                App = "vite",
                Needs = ["npm", "npm-large:vite"],
                OwnPort = 5173,
                Files = ".",
            },
            new("webpack-dev-server", "npx", "webpack", "serve")
            {
                App = "webpack",
                Needs = ["npx", "npm-large:webpack-dev-server"],
                OwnPort = 8080,
                Files = "dist",
                WebSocket = new Talk("/ws", null, "hot"),
            },
            new("Parcel", "npx", "parcel", "src/index.html") { App = "parcel", Needs = ["npx", "npm-large:parcel"] },
            new("go run", "go", "run", ".")
            {
                App = "go",
                Needs = ["go"],
                OwnPort = 8080,
                Says = "Hi there",
                Echo = "/echo",
                Rows = true,
            },
            new("Go", "./hello")
            {
                App = "go",
                Needs = ["go"],
                OwnPort = 8080,
                Build = "go build -o hello .",
                Says = "Hi there",
                Echo = "/echo",
                Rows = true,
            },
            new("Rust", "./server")
            {
                App = "rust",
                Needs = ["rustc"],
                Build = "rustc -O server.rs",
                Echo = "/echo",
                Rows = true,
            },
            new("Jetty", "java", "-Djetty.home=/usr/share/jetty9", "-jar", "/usr/share/jetty9/start.jar", "jetty.http.port=$PORT")
            {
                App = "jetty",
                Needs = ["java", "/usr/share/jetty9/start.jar"],
                Files = "webapps/ROOT",
            },
            new("dotnet run", "dotnet", "run", "--urls", "http://127.0.0.1:$PORT")
            {
                App = "aspnet",
                Needs = ["dotnet"],
                Echo = "/echo",
                Rows = true,
                WebSocket = new Talk("/ws", "hi", "hi"),
            },
        ];
}
