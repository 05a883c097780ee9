using System.Diagnostics;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>A program that runs to its end: curl, or the gateway's own commands.</summary>
/// <param name="Code">Exit code.</param>
/// <param name="Out">What it wrote to stdout.</param>
/// <param name="Error">What it wrote to stderr.</param>
internal sealed record Tool(int Code, string Out, string Error)
{
    /// <summary>Runs a program that ends soon.</summary>
    public static Task<Tool> RunAsync(string program, params string[] args) => RunAsync(Patience.Default, program, args);

    /// <summary>Runs a program that ends within a limit.</summary>
    public static async Task<Tool> RunAsync(TimeSpan limit, string program, params string[] args)
    {
        var info = new ProcessStartInfo(program, args)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        info.Environment["no_proxy"] = "*";
        return await RunAsync(info, limit);
    }

    /// <summary>Runs the gateway's executable in a folder.</summary>
    public static Task<Tool> GatewayAsync(Scene scene, params string[] args) => GatewayAsync(scene, [], args);

    /// <summary>The same with environment variables of its own.</summary>
    public static Task<Tool> GatewayAsync(Scene scene, (string Name, string Value)[] environment, params string[] args)
    {
        Dictionary<string, string> variables = scene.Environment;
        foreach (var (name, value) in environment)
        {
            variables[name] = value;
        }

        return RunAsync(GatewayProcess.StartInfo(args, scene.Folder, variables));
    }

    /// <summary>Runs curl, quietly, with the given arguments; the test is skipped where there is none.</summary>
    public static Task<Tool> CurlAsync(params string[] args) =>
        RunAsync(Executables.FindOrSkip("curl"), ["-sS", "--max-time", "60", .. args]);

    private static async Task<Tool> RunAsync(ProcessStartInfo info, TimeSpan? limit = null)
    {
        using Process process = Process.Start(info)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().InTimeAsync($"end of {info.FileName}", limit);
        }
        catch (TimeoutException e)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException(
                $"{e.Message}; it was told: {string.Join(' ', info.ArgumentList)}; it had said: "
                    + $"{await SaidAsync(output)}{await SaidAsync(error)}",
                e
            );
        }

        return new Tool(process.ExitCode, await output, await error);
    }

    // Somebody who was not killed with it may hold the pipe.
    private static async Task<string> SaidAsync(Task<string> stream) =>
        await stream.StaysOpenAsync(TimeSpan.FromSeconds(5)) ? "(not to be had)" : await stream;
}
