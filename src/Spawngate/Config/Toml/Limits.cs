namespace Spawngate.Config.Toml;

/// <summary>Bounds of reading TOML, each with its reason. How much a file may hold is said by <see cref="ConfigLimits"/>.</summary>
internal static class TomlLimits
{
    /// <summary>
    /// Bytes of a file that are read at a time, up to the last line end among them: as text at most 64 KiB, below the 85,000 bytes from
    /// which on an object makes the collector go through the whole heap. A statement that is longer is read in one piece.
    /// </summary>
    public const int PieceBytes = 32 * 1024;

    /// <summary>Longest text that is worth keeping for the next time it is met: keys, commands and common arguments are shorter.</summary>
    public const int PooledCharsMax = 128;

    /// <summary>
    /// Texts kept while a file is read: a file repeats some thirty keys and a few values between two texts of their own; 256 references are
    /// 2 KiB.
    /// </summary>
    public const int PooledTexts = 256;

    /// <summary>
    /// Keys of a table that are compared one by one: eight comparisons, mostly of lengths, cost less than hashing a name.
    /// </summary>
    public const int UnindexedEntriesMax = 8;

    /// <summary>Room of a table with its first key: most have two to four of them, of 24 bytes each.</summary>
    public const int TableEntriesFirst = 4;

    /// <summary>Characters of a wrong value that a message shows: numbers and words are shorter.</summary>
    public const int ShownCharsMax = 40;
}
