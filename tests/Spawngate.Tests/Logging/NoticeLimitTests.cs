using Spawngate.Logging;

namespace Spawngate.Tests;

/// <summary>A fault that comes with every request is told, and does not flood the log.</summary>
internal sealed class NoticeLimitTests
{
    [Test]
    public void A_few_pass_in_a_period_and_the_rest_is_counted()
    {
        var limit = new NoticeLimit();
        for (int period = 0; period < 3; period++)
        {
            long now = 1 + (period * LoggingLimits.NoticePeriodMs);
            for (int i = 0; i < 3 * LoggingLimits.NoticesPerPeriod; i++)
            {
                bool passes = limit.TryPass(now + i, out int held);
                int expected = period > 0 && i == 0 ? 2 * LoggingLimits.NoticesPerPeriod : 0;
                Assert.That((passes, held), Is.EqualTo((i < LoggingLimits.NoticesPerPeriod, expected)), $"{i} of period {period}");
            }
        }
    }
}
