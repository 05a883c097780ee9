namespace Spawngate;
internal static class Program { private static int Main() { System.Console.WriteLine("x"); return 0; } }
