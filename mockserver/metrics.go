package mockserver

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed47566266/understudy/mockserver/store"
)

// metrics count exchanges for Prometheus. Rules are those of the page, so that no label
// is the client's.
type metrics struct {
	registry *prometheus.Registry
	requests map[store.Outcome]prometheus.Counter
	rules    *prometheus.CounterVec
	seconds  prometheus.Histogram
}

func newMetrics(s store.Store) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), requests: map[store.Outcome]prometheus.Counter{}}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "understudy_requests_total", Help: "Requests by outcome.",
	}, []string{"outcome"})
	for _, outcome := range []store.Outcome{
		store.OutcomeAccepted, store.OutcomeRejected, store.OutcomeScenario, store.OutcomeFault,
	} {
		m.requests[outcome] = requests.WithLabelValues(string(outcome))
	}
	m.rules = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "understudy_violations_total", Help: "Requests that broke a rule of the page first.",
	}, []string{"rule"})
	m.seconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "understudy_request_duration_seconds",
		Help:    "Time from the head of a request to the end of its response.",
		Buckets: prometheus.ExponentialBuckets(0.00005, 4, 10),
	})
	dropped := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "understudy_journal_dropped_total", Help: "Entries of the journal that had no room.",
	}, func() float64 { return float64(s.Dropped()) })
	m.registry.MustRegister(requests, m.rules, m.seconds, dropped)
	return m
}

// count adds an exchange; m is nil where nobody asks.
func (m *metrics) count(x *exchange) {
	if m == nil {
		return
	}
	m.requests[x.outcome()].Inc()
	if v := x.response.Violations; len(v) > 0 {
		m.rules.WithLabelValues(v[0].Rule.String()).Inc()
	}
	m.seconds.Observe(x.took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
