using System.Globalization;

namespace Spawngate.Platform;

/// <summary>A user of this machine.</summary>
/// <param name="Name">His name.</param>
/// <param name="User">His number.</param>
/// <param name="Group">Number of his group.</param>
/// <param name="Home">His folder.</param>
/// <param name="Shell">His shell.</param>
internal sealed record UserAccount(string Name, long User, long Group, string Home, string Shell);

/// <summary>
/// The users and groups of this machine, as <c>/etc/passwd</c> and <c>/etc/group</c> list them. They are read anew each time, so a user who
/// was made meanwhile is known. Users of a directory (LDAP) are not in these files, and are given by number.
/// </summary>
internal static class Accounts
{
    private const string UserFile = "/etc/passwd";
    private const string GroupFile = "/etc/group";
    private const int UserFields = 7;
    private const int GroupFields = 3;

    /// <summary>The user of a name or number; null when there is none.</summary>
    public static UserAccount? FindUser(string nameOrNumber, string file = UserFile)
    {
        string[]? fields = Find(file, nameOrNumber, UserFields);
        return fields is not null && TryNumber(fields[2], out long user) && TryNumber(fields[3], out long group)
            ? new UserAccount(fields[0], user, group, fields[5], fields[6])
            : null;
    }

    /// <summary>The number of a group, given by it or by its name; null when there is none of that name.</summary>
    public static long? FindGroup(string nameOrNumber, string file = GroupFile) =>
        TryNumber(nameOrNumber, out long number) ? number
        : Find(file, nameOrNumber, GroupFields) is { } fields && TryNumber(fields[2], out long group) ? group
        : null;

    /// <summary>Reads a number of a user or group. The largest means none to the kernel.</summary>
    public static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number < uint.MaxValue;

    private static string[]? Find(string file, string nameOrNumber, int fieldsMin)
    {
        int wanted = TryNumber(nameOrNumber, out _) ? 2 : 0;
        try
        {
            return File.ReadLines(file)
                .Select(static line => line.Split(':'))
                .FirstOrDefault(fields => fields.Length >= fieldsMin && fields[wanted] == nameOrNumber);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // An image without users.
        }
    }
}
