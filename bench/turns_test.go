package bench

import (
	"slices"
	"testing"
	"time"
)

// pairs are how often each takes its turn in one run.
const pairs = 15

// takeTurns has two do the same in turn, ours and a peer's, which return how long it took them. It reports the median of each,
// and returns that of the pairs' ratios. The first few turns warm them up.
func takeTurns(b *testing.B, warmUp int, ours func() time.Duration, peer string, theirs func() time.Duration) float64 {
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

// milliseconds is what a peer says that it took.
func milliseconds(took float64) time.Duration { return time.Duration(took * float64(time.Millisecond)) }
