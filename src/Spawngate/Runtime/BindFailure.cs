using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Spawngate.Runtime;

/// <summary>Says in a few words why an address could not be bound.</summary>
internal static class BindFailure
{
    /// <summary>The cause for people, whatever layer of the server wrapped it.</summary>
    public static string Describe(Exception exception)
    {
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            if (e is AddressInUseException)
            {
                return "the address is already in use by another program";
            }

            if (e is SocketException socket)
            {
                return Describe(socket.SocketErrorCode) ?? socket.Message;
            }
        }

        return exception.Message;
    }

    private static string? Describe(SocketError error) =>
        error switch
        {
            SocketError.AddressAlreadyInUse => "the address is already in use by another program",
            SocketError.AddressNotAvailable => "this machine has no such address",
            SocketError.AccessDenied => "permission denied (ports below 1024 need privileges)",
            SocketError.AddressFamilyNotSupported => "this machine does not support that kind of address",
            _ => null,
        };
}
