package bench

import (
	"slices"
	"testing"
	"time"
)

// pairs is the number of measured pairs in one run.
const pairs = 15

// takeTurns runs two functions in turn, ours and a peer's, that return the time they took. It
// reports both medians, and returns the median of the pairs' ratios. The first few turns are a
// warm-up.
func takeTurns(
	b *testing.B, warmUp int, ours func() time.Duration, peer string, theirs func() time.Duration,
) float64 {
	b.Helper()
	var our, their []time.Duration
	var ratios []float64
	for i := range warmUp + pairs {
		mine, others := ours(), theirs()
		if i >= warmUp {
			our, their = append(our, mine), append(their, others)
			ratios = append(ratios, float64(mine)/float64(others))
		}
	}
	slices.Sort(ratios)
	ratio := ratios[pairs/2]
	b.ReportMetric(median(our).Seconds()*1000, "ms/ours")
	b.ReportMetric(median(their).Seconds()*1000, "ms/"+peer)
	b.ReportMetric(ratio, "ours/"+peer)
	return ratio
}

// milliseconds converts a time that a peer reports.
func milliseconds(took float64) time.Duration {
	return time.Duration(took * float64(time.Millisecond))
}
