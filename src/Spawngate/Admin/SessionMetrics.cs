using Spawngate.Sessions;

namespace Spawngate.Admin;

/// <summary>The part of <c>/metrics</c> that only sessions have: how many were made, live and have ended, by template.</summary>
internal static class SessionMetrics
{
    private const string Live = "spawngate_sessions";
    private const string Made = "spawngate_sessions_made_total";
    private const string Ended = "spawngate_sessions_ended_total";

    /// <summary>Writes it; nothing when no session was ever made.</summary>
    public static void Render(ExpositionText text, IReadOnlyList<SessionNumbers> sessions)
    {
        if (sessions.Count == 0)
        {
            return;
        }

        text.Family(Live, "gauge", "Sessions that live, by state.");
        foreach (SessionNumbers each in sessions)
        {
            for (int state = 0; state < each.States.Length; state++)
            {
                text.Sample(
                    Live,
                    each.States[state],
                    ("template", each.Totals.Template),
                    ("state", SessionJson.Name((SessionState)state).ToLowerInvariant())
                );
            }
        }

        text.Family(Made, "counter", "Sessions that were made.");
        foreach (SessionNumbers each in sessions)
        {
            text.Sample(Made, each.Totals.Created, ("template", each.Totals.Template));
        }

        text.Family(Ended, "counter", "Sessions that have ended, by their last state.");
        foreach (SessionNumbers each in sessions)
        {
            text.Sample(Ended, each.Totals.Swept, ("template", each.Totals.Template), ("state", "swept"));
            text.Sample(Ended, each.Totals.Failed, ("template", each.Totals.Template), ("state", "failed"));
        }
    }
}
