namespace Spawngate.Microbench;

/// <summary>One line of the report.</summary>
/// <param name="Title">What is done.</param>
/// <param name="Type">Whose benchmark it is.</param>
/// <param name="Method">Its name.</param>
/// <param name="Bytes">Bytes that one operation goes through; 0 where that says nothing.</param>
/// <param name="Copy">The benchmark that copies the same bytes.</param>
internal sealed record MicroEntry(string Title, Type Type, string Method, int Bytes = 0, string? Copy = null)
{
    /// <summary>Hosts in the table, for a look-up; else 0.</summary>
    public int Hosts { get; init; }
}
