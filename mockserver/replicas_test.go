package mockserver_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/mockserver"
	"github.com/seed47566266/understudy/mockserver/store"
)

// replicas starts mocks that share a store.
func replicas(t *testing.T, n int, address string, options ...mockserver.Option) []*mockserver.TestServer {
	t.Helper()
	all := make([]*mockserver.TestServer, n)
	for i := range all {
		shared, err := store.NewRedis(address, store.DefaultEntries, store.DefaultBytes, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, shared.Close()) })
		all[i] = mockserver.Start(t, pageContract(t), append(options, mockserver.WithStore(shared))...)
	}
	return all
}

// booking is the body of a request for a slot.
func booking(slot int) string {
	return fmt.Sprintf(`{"UserId":"84ef7a81-c643-4b8e-85e5-1ff52fc35f3d","Reason":"r",`+
		`"AccountId":"3faed728-f67f-4bc0-888f-a8410d31c7df","ProviderId":"35892d05-0086-4366-930b-3fa374cac51e",`+
		`"AppointmentOn":%q}`, time.Date(2026, 2, 3, 0, slot, 0, 0, time.UTC).Format(time.RFC3339))
}

// book has clients ask for each slot at once, half of them from each of two mocks, and returns
// how many got it, by slot. Every request must get a response.
func book(t *testing.T, mocks []*mockserver.TestServer, slots, clients int) []int64 {
	t.Helper()
	got := make([]atomic.Int64, slots)
	var group sync.WaitGroup
	for n := range clients {
		group.Go(func() {
			client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for slot := range slots {
				resp, err := client.Post(mocks[n%len(mocks)].URL+endpoint, "application/json",
					strings.NewReader(booking(slot)))
				if !assert.NoError(t, err) {
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				switch resp.StatusCode {
				case http.StatusOK:
					got[slot].Add(1)
				case http.StatusConflict:
				default:
					assert.Fail(t, "a status that nobody gave", resp.Status)
				}
			}
		})
	}
	group.Wait()
	counts := make([]int64, slots)
	for i := range got {
		counts[i] = got[i].Load()
	}
	return counts
}

// doubleBooked is the ready-made scenario.
func doubleBooked(t *testing.T) mockserver.Option {
	t.Helper()
	sc, err := mockserver.ReadyMade("double-booked")
	require.NoError(t, err)
	return mockserver.WithScenarios(sc)
}

func TestASlotIsBookedOnceByMocksThatShareAStore(t *testing.T) {
	mocks := replicas(t, 2, "redis://"+miniredis.RunT(t).Addr(), doubleBooked(t))
	for slot, n := range book(t, mocks, 20, 10) {
		assert.EqualValues(t, 1, n, "slot %d", slot)
	}
}

func TestMocksThatShareAStoreAgree(t *testing.T) {
	config, err := mockserver.ParseConfig("f", []byte(
		"response: {json: {Id: \"{{guid}}\", N: \"{{.Number}}\"}}\nscenarios:\n"+
			"  - {name: a, when: {requires: {s: open}}, then: {status: 202, sets: {s: shut}}}"), nil, nil)
	require.NoError(t, err)
	server := miniredis.RunT(t)
	mocks := replicas(t, 2, "redis://"+server.Addr(), mockserver.WithConfig(config))
	sample := string(operation(t).Sample)
	post := func(mock int, session string) response {
		return send(t, "POST", mocks[mock].URL+endpoint, "application/json", sample, mockserver.SessionHeader, session)
	}
	first := post(0, "one")
	require.NoError(t, mocks[1].Reset("one"))
	assert.Equal(t, first.body, post(1, "one").body, "the same number of the same session makes the same values")
	assert.NotEqual(t, first.body, post(0, "one").body)

	put := func(mock int, path, body string) {
		got := send(t, "PUT", mocks[mock].URL+"/__admin"+path, "", body, mockserver.SessionHeader, "one")
		require.Equal(t, 200, got.status, got.body)
	}
	put(0, "/scenarios/s/state", `{"state": "open"}`)
	assert.Equal(t, 202, post(1, "one").status)
	assert.Equal(t, 200, post(0, "one").status)
	put(0, "/next", `{"status": 503}`)
	assert.Equal(t, 503, post(1, "one").status)

	// What one has responded is in the other's journal, and comes as its event.
	events := "/__admin/events?session=two" // what others sent before may still be on its way
	ids, _ := stream(t, mocks[0].URL+events)
	post(1, "two")
	id := next(t, ids)
	assert.Contains(t, send(t, "GET", mocks[0].URL+"/__admin/requests/"+id, "", "").body, `"session": "two"`)
	post(1, "two")
	last := next(t, ids)
	again, _ := stream(t, mocks[1].URL+events, "Last-Event-ID", id)
	assert.Equal(t, last, next(t, again), "a stream goes on at the other mock")
	post(1, "three")
	waited := send(t, "GET", mocks[0].URL+"/__admin/requests?session=three&wait=10s", "", "")
	assert.Contains(t, waited.body, `"total": 1`)

	// A store that is away stops nothing.
	server.Close()
	got := post(0, "one")
	assert.Equal(t, 200, got.status)
	assert.Equal(t, "down", got.header.Get(mockserver.StoreHeader))
	assert.Regexp(t, `"Id":"[0-9a-f-]{36}"`, got.body)
	assert.Equal(t, 200, send(t, "GET", mocks[0].URL+"/__admin/ready", "", "").status)
	assert.Contains(t, send(t, "GET", mocks[0].URL+"/__admin/ready", "", "").body, `"store": "down"`)
	assert.Contains(t, send(t, "GET", mocks[0].URL+"/__admin/scenarios", "", "").body, "the store cannot be reached")
	assert.Contains(t, send(t, "GET", mocks[0].URL+"/__admin/config", "", "").body, `"requires"`)
	require.NoError(t, server.Restart())
	require.Eventually(t, func() bool { return post(1, "one").header.Get(mockserver.StoreHeader) == "" },
		20*time.Second, 10*time.Millisecond)
}
