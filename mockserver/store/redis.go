package store

import (
	"context"
	_ "embed" // the scripts
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	// redisTimeout is how long a request waits for the store before it does without, and
	// redisRetry how often one that is away is looked for.
	redisTimeout = time.Second
	redisRetry   = 250 * time.Millisecond
	// redisPoll is how often a response that another request makes is looked for.
	redisPoll = 10 * time.Millisecond
	// rejectedPause is how often a server that rejects is logged.
	rejectedPause = 10 * time.Second
	// journalAge is how long the journal is kept after its last entry: it holds what clients sent.
	journalAge = 24 * time.Hour
	// pendingAge is how long a response may be made: one that takes longer was left by a
	// mock that ended meanwhile.
	pendingAge = 2 * time.Minute
	// queueEntries and queueBytes bound the entries that are not written yet, batchEntries and
	// batchBytes those that are written at once.
	queueEntries = 10_000
	queueBytes   = 16 << 20
	batchEntries = 256
	batchBytes   = 1 << 20
	// pageEntries is how many entries, or keys, are read at once: one of a hundred long entries is
	// not to take longer than redisTimeout.
	pageEntries = 100
	// writerAge is how long the number of a batch is known.
	writerAge = 10 * time.Minute
)

// Every key begins with keys. Those of a session share a hash tag, and so do those of the
// journal, so that a cluster has them in one place.
const keys = "understudy:"

var (
	//go:embed decide.lua
	decideLua string
	//go:embed keep.lua
	keepLua string
	//go:embed append.lua
	appendLua string
	//go:embed remove.lua
	removeLua string

	//go:embed ahead.lua
	aheadLua string
	//go:embed free.lua
	freeLua string

	decideScript, keepScript, freeScript = newScript(decideLua), newScript(keepLua), newScript(freeLua)
	removeScript, aheadScript            = newScript(removeLua), newScript(aheadLua)
)

// Redis is a store in a Redis or Valkey server, or cluster of them, from version 6.2 on.
// Mocks on other machines that use the same server, with the same number of the database, share
// what it keeps; sessions expire an hour after their last exchange. While the server is away
// the methods return ErrAway, at once but for the first.
type Redis struct {
	client     redis.UniversalClient
	maxEntries int
	maxBytes   int64
	log        *slog.Logger
	writer     string // the key of this process

	away     atomic.Pointer[error]
	rejected atomic.Int64 // when that was logged last
	lost     atomic.Int64
	watchers watchers

	mu      sync.Mutex
	changed *sync.Cond // of queue, settled, closed, away
	queue   []queued
	bytes   int64 // of queue
	added   int64 // entries, to queue
	settled int64 // of added, which are written or lost
	batch   int64 // number of the batch that is written
	sending int   // how many entries it has; 0 before its first attempt
	closed  bool

	ending chan struct{}
	ended  sync.WaitGroup
}

// queued is an entry that is to be written.
type queued struct {
	*Entry
	size int64
}

// NewRedis connects to a server: redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// over
// TLS, unix:///PATH; a cluster has further nodes in addr=HOST:PORT parameters. The journal has
// the given bounds; 0 entries switch it off. A server that is away is no error: it is looked
// for. What happens to the connection is logged.
func NewRedis(address string, entries int, bytes int64, log *slog.Logger) (*Redis, error) {
	redis.SetLogger(silence{})
	client, err := connect(address)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		client: client, maxEntries: entries, maxBytes: bytes, log: log, ending: make(chan struct{}),
		writer: keys + "{journal}:writer:" + uuid.NewString(),
	}
	r.changed = sync.NewCond(&r.mu)
	if err := r.ping(); err != nil {
		r.leave(err)
	}
	r.ended.Go(r.write)
	r.ended.Go(r.listen)
	return r, nil
}

// CheckRedis reports what is wrong with an address for [NewRedis]. It connects to nothing.
func CheckRedis(address string) error {
	client, err := connect(address)
	if err == nil {
		err = client.Close()
	}
	return err
}

// silence is what the client library logs: errors that its calls return besides.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

func connect(address string) (redis.UniversalClient, error) {
	wrong := func(err error) error {
		var parsing *url.Error
		if errors.As(err, &parsing) {
			err = parsing.Err // not the address, which may hold a password
		}
		return fmt.Errorf("invalid address of the store: %w: use redis://HOST:PORT/DATABASE", err)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, wrong(err)
	}
	if u.Query().Has("addr") {
		options, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, wrong(err)
		}
		options.MaxRetries = -1 // what is away is away, and looked for
		options.DialerRetries = 1
		options.DialTimeout, options.ReadTimeout, options.WriteTimeout = redisTimeout, redisTimeout, redisTimeout
		return redis.NewClusterClient(options), nil
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, wrong(err)
	}
	options.MaxRetries, options.DialerRetries = -1, 1 // as above
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = redisTimeout, redisTimeout, redisTimeout
	return redis.NewClient(options), nil
}

// ping looks whether the server can be written to: a replica can be read alone.
func (r *Redis) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	return r.client.Set(ctx, r.writer+":ping", "", writerAge).Err()
}

// Away is described at [Store].
func (r *Redis) Away() error {
	if err := r.away.Load(); err != nil {
		return *err
	}
	return nil
}

// leave notes that the server is away, and looks for it.
func (r *Redis) leave(err error) {
	if !r.away.CompareAndSwap(nil, &err) {
		return
	}
	r.log.Warn("store", "problem", "it cannot be reached: scenarios that need it are left out", "error", err.Error())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return // nobody waits for it any longer
	}
	r.ended.Go(func() {
		for {
			select {
			case <-r.ending:
				return
			case <-time.After(redisRetry):
			}
			if r.ping() == nil {
				r.away.Store(nil)
				r.log.Info("store", "state", "it can be reached again")
				r.mu.Lock()
				r.changed.Broadcast()
				r.mu.Unlock()
				return
			}
		}
	})
}

// do calls the server, unless it is away. An error of the server is returned as it is.
func (r *Redis) do(call func(ctx context.Context) error) error {
	if r.away.Load() != nil {
		return ErrAway
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*redisTimeout)
	defer cancel()
	err := call(ctx)
	if err == nil || errors.Is(err, redis.Nil) {
		return nil
	}
	var rejected redis.Error
	if errors.As(err, &rejected) && !isAbsence(rejected) {
		// It is there, and has no memory left, say.
		if now := time.Now().UnixNano(); now-r.rejected.Load() > int64(rejectedPause) {
			r.rejected.Store(now)
			r.log.Warn("store", "problem", "it rejects what is asked of it", "error", err.Error())
		}
	} else {
		r.leave(err)
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// once is a command that is sent once. The client library sends others to a cluster again when
// a reply is lost, and what counts would count twice.
type once struct{ *redis.Cmd }

// NoRetry tells the library.
func (once) NoRetry() bool { return true }

// script runs a script, once.
type script struct{ text, hash string }

func newScript(text string) script { return script{text, redis.NewScript(text).Hash()} }

func (r *Redis) run(ctx context.Context, s script, keys []string, args ...any) *redis.Cmd {
	send := func(command, script string) *redis.Cmd {
		all := []any{command, script, len(keys)}
		for _, key := range keys {
			all = append(all, key)
		}
		cmd := redis.NewCmd(ctx, append(all, args...)...)
		cmd.SetFirstKeyPos(3)
		_ = r.client.Process(ctx, once{cmd}) // the command has its error
		return cmd
	}
	cmd := send("evalsha", s.hash)
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = send("eval", s.text)
	}
	return cmd
}

// isAbsence reports a rejection by a server that is no use now, and may be later.
func isAbsence(err redis.Error) bool {
	word, _, _ := strings.Cut(err.Error(), " ")
	return slices.Contains([]string{"LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN"}, word)
}

// sessionKeys are the keys of a session: values, order, next, states.
func sessionKeys(session string) []string {
	base := keys + "{s:" + session + "}:"
	return []string{base + "values", base + "order", base + "next", base + "states"}
}

var journalKeys = []string{
	keys + "{journal}:stream", keys + "{journal}:ordinary", keys + "{journal}:other", keys + "{journal}:numbers",
}

const journalChannel = keys + "journal"

// short is a name of a value: names hold what clients sent, of any length.
func short(name string) string {
	if name == "" {
		return ""
	}
	k := keyOf(name)
	return hex.EncodeToString(k[:])
}

// Decide is described at [Store].
func (r *Redis) Decide(session string, now time.Time, ownResponse bool, steps []Step) (Decision, error) {
	sent := slices.Clone(steps)
	for i := range sent {
		s := &sent[i]
		s.Counter, s.Bucket, s.Keep = short(s.Counter), short(s.Bucket), short(s.Keep)
	}
	text, err := json.Marshal(sent)
	if err != nil {
		return Decision{}, err
	}
	own := 0
	if ownResponse {
		own = 1
	}
	if len(sent) == 0 {
		text = []byte("[]")
	}
	var reply []any
	err = r.do(func(ctx context.Context) error {
		reply, err = r.run(ctx, decideScript, sessionKeys(session), now.UnixMilli(), own,
			SessionAge.Milliseconds(), pendingAge.Milliseconds(), maxKeys, text).Slice()
		return err
	})
	if err != nil {
		return Decision{}, err
	}
	return readDecision(reply)
}

var errMalformed = errors.New("the store's response is malformed: is another program using its keys?")

// readDecision reads what decide.lua returns.
func readDecision(reply []any) (Decision, error) {
	var d Decision
	if len(reply) != 3 {
		return d, errMalformed
	}
	number, isNumber := reply[0].(int64)
	matches, areMatches := reply[2].([]any)
	if !isNumber || !areMatches {
		return d, errMalformed
	}
	d.Number = int(number)
	if next, found := reply[1].(string); found {
		d.Next = json.RawMessage(next)
	}
	for _, reply := range matches {
		match, ok := reply.([]any)
		if !ok || len(match) != 5 {
			return d, errMalformed
		}
		var numbers [5]int64
		for i, value := range match {
			if numbers[i], ok = value.(int64); !ok && i != 3 {
				return d, errMalformed
			}
		}
		m := Match{
			Step: int(numbers[0]), Call: int(numbers[1]),
			RetryAfter: time.Duration(numbers[2]) * time.Millisecond, Pending: numbers[4] == 1,
		}
		if kept, found := match[3].(string); found {
			m.Kept = []byte(kept)
		}
		d.Matches = append(d.Matches, m)
	}
	return d, nil
}

// Keep is described at [Store].
func (r *Redis) Keep(session, response string, bytes []byte) error {
	return r.do(func(ctx context.Context) error {
		return r.run(ctx, keepScript, sessionKeys(session)[:2], "r:"+short(response), bytes,
			SessionAge.Milliseconds(), maxKept).Err()
	})
}

// Free is described at [Store].
func (r *Redis) Free(session, response string, number int) error {
	return r.do(func(ctx context.Context) error {
		return r.run(ctx, freeScript, sessionKeys(session)[:2], "r:"+short(response), number).Err()
	})
}

// Kept is described at [Store].
func (r *Redis) Kept(ctx context.Context, session, response string) []byte {
	for {
		var text string
		err := r.do(func(ctx context.Context) error {
			var err error
			text, err = r.client.HGet(ctx, sessionKeys(session)[0], "r:"+short(response)).Result()
			return err
		})
		kept, found := strings.CutPrefix(text, "=")
		switch {
		case found:
			return []byte(kept)
		case err != nil || text == "":
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(redisPoll):
		}
	}
}

// Ahead is described at [Store].
func (r *Redis) Ahead(session string, response json.RawMessage, times int) error {
	var added int
	err := r.do(func(ctx context.Context) error {
		var err error
		added, err = r.run(ctx, aheadScript, sessionKeys(session)[2:3], strconv.Itoa(times)+"\n"+string(response),
			maxNext, SessionAge.Milliseconds()).Int()
		return err
	})
	if err == nil && added == 0 {
		err = ErrTooMany
	}
	return err
}

// Next is described at [Store].
func (r *Redis) Next(session string) ([]Next, error) {
	var texts []string
	err := r.do(func(ctx context.Context) error {
		var err error
		texts, err = r.client.LRange(ctx, sessionKeys(session)[2], 0, -1).Result()
		return err
	})
	all := make([]Next, len(texts))
	for i, text := range texts {
		times, response, _ := strings.Cut(text, "\n")
		if all[i].Times, err = strconv.Atoi(times); err != nil {
			return nil, errMalformed
		}
		all[i].Response = json.RawMessage(response)
	}
	return all, err
}

// DropNext is described at [Store].
func (r *Redis) DropNext(session string) error {
	return r.do(func(ctx context.Context) error { return r.client.Unlink(ctx, sessionKeys(session)[2]).Err() })
}

// Waiting is true: another mock may have been asked.
func (r *Redis) Waiting() bool { return r.away.Load() == nil }

// SetState is described at [Store].
func (r *Redis) SetState(session, state, to string) error {
	key := sessionKeys(session)[3]
	return r.do(func(ctx context.Context) error {
		_, err := r.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, key, state, to)
			p.PExpire(ctx, key, SessionAge)
			return nil
		})
		return err
	})
}

// States is described at [Store].
func (r *Redis) States(session string) (map[string]string, error) {
	states := map[string]string{}
	err := r.do(func(ctx context.Context) error {
		found, err := r.client.HGetAll(ctx, sessionKeys(session)[3]).Result()
		maps.Copy(states, found)
		return err
	})
	return states, err
}

// Reset is described at [Store].
func (r *Redis) Reset(session string) error {
	return r.do(func(ctx context.Context) error { return r.client.Unlink(ctx, sessionKeys(session)...).Err() })
}

// ResetAll is described at [Store].
func (r *Redis) ResetAll() error {
	cluster, isCluster := r.client.(*redis.ClusterClient)
	if !isCluster {
		return r.resetNode(r.client)
	}
	var nodes []*redis.Client
	var mu sync.Mutex // it calls for all nodes at once
	err := r.do(func(ctx context.Context) error {
		return cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			nodes = append(nodes, node)
			return nil
		})
	})
	for _, node := range nodes {
		if err == nil {
			err = r.resetNode(node)
		}
	}
	return err
}

// resetNode removes the sessions of one server, some at a time.
func (r *Redis) resetNode(node redis.UniversalClient) error {
	for cursor := uint64(0); ; {
		err := r.do(func(ctx context.Context) error {
			found, next, err := node.Scan(ctx, cursor, keys+"{s:*", 10*pageEntries).Result()
			if err != nil {
				return err
			}
			cursor = next
			_, err = node.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, key := range found { // one by one: they are of several slots
					p.Unlink(ctx, key)
				}
				return nil
			})
			return err
		})
		if err != nil || cursor == 0 {
			return err
		}
	}
}

// Close is described at [Store].
func (r *Redis) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.changed.Broadcast()
	r.mu.Unlock()
	close(r.ending)
	r.ended.Wait()
	return r.client.Close()
}

// Enabled is described at [Store].
func (r *Redis) Enabled() bool { return r.maxEntries > 0 }

// Append is described at [Store]. The entry has its id once it is read again.
func (r *Redis) Append(e *Entry) string {
	if r.maxEntries <= 0 {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	size := e.size()
	if len(r.queue) >= queueEntries || r.bytes+size > queueBytes {
		r.lost.Add(1)
		return ""
	}
	r.queue = append(r.queue, queued{e, size})
	r.bytes += size
	r.added++
	r.changed.Broadcast()
	return ""
}

// write writes the queue. What is there while the server is away waits for it; at the end it
// is lost.
func (r *Redis) write() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for !r.closed && (len(r.queue) == 0 || r.away.Load() != nil) {
			r.changed.Wait()
		}
		if r.closed && (len(r.queue) == 0 || r.away.Load() != nil) {
			return
		}
		if r.sending == 0 {
			r.sending = batchOf(r.queue)
		}
		batch := r.queue[:r.sending] // the same at each attempt: it may be written
		r.mu.Unlock()
		err := r.append(batch)
		r.mu.Lock()
		if err != nil && r.away.Load() == nil {
			r.lost.Add(int64(len(batch))) // they are rejected
			err = nil
		}
		if err == nil { // else the next attempt is for the same
			for _, e := range batch {
				r.bytes -= e.size
			}
			r.queue = r.queue[len(batch):]
			r.settled += int64(len(batch))
			r.batch++
			r.sending = 0
		}
		r.changed.Broadcast()
	}
}

// batchOf is how many entries of a queue are written at once.
func batchOf(queue []queued) int {
	bytes := int64(0)
	for i := range queue {
		if bytes += queue[i].size; i > 0 && bytes > batchBytes || i == batchEntries {
			return i
		}
	}
	return len(queue)
}

// append writes a batch. One whose reply was lost may be there already: it has a number, by which
// the script knows it.
func (r *Redis) append(batch []queued) error {
	args := make([]any, 0, 5+3*len(batch))
	args = append(args, r.maxEntries, r.maxBytes, journalAge.Milliseconds(), r.batch, writerAge.Milliseconds())
	for _, e := range batch {
		ordinary := 0
		if e.ordinary() {
			ordinary = 1
		}
		text, err := json.Marshal(e.Entry)
		if err != nil {
			text = []byte("{}") // it cannot fail
		}
		args = append(args, ordinary, e.size, text)
	}
	scriptKeys := append(slices.Clone(journalKeys), r.writer)
	return r.do(func(ctx context.Context) error {
		_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Eval(ctx, appendLua, scriptKeys, args...)
			p.Publish(ctx, journalChannel, len(batch))
			return nil
		})
		return err
	})
}

// written waits until what was appended before is written, or the server is away.
func (r *Redis) written() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for until := r.added; r.settled < until && r.away.Load() == nil && !r.closed; {
		r.changed.Wait()
	}
}

// listen passes on what the server says of new entries.
func (r *Redis) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	added := r.client.Subscribe(ctx, journalChannel)
	defer func() { _ = added.Close() }()
	messages := added.ChannelWithSubscriptions() // nobody knows what was missed before one
	for {
		select {
		case <-messages:
			r.watchers.wake()
		case <-r.ending:
			return
		}
	}
}

// Watch is described at [Store].
func (r *Redis) Watch() (added <-chan struct{}, stop func()) { return r.watchers.add() }

// isStreamID reports the form of ids in a stream: two numbers, or the first.
func isStreamID(id string) bool {
	first, second, isWhole := strings.Cut(id, "-")
	if !isWhole {
		second = "0"
	}
	for _, part := range []string{first, second} {
		if _, err := strconv.ParseUint(part, 10, 64); err != nil {
			return false
		}
	}
	return true
}

// Entries is described at [Store].
func (r *Redis) Entries(after string) ([]*Entry, error) {
	r.written()
	from := "-"
	if isStreamID(after) {
		from = "(" + after
	}
	var entries []*Entry
	err := r.entries(from, "+", func(e *Entry, _ string) { entries = append(entries, e) })
	return entries, err
}

// entries calls each with the entries of a range of ids, and with their sizes as they were counted.
func (r *Redis) entries(from, to string, each func(e *Entry, size string)) error {
	for {
		var messages []redis.XMessage
		err := r.do(func(ctx context.Context) error {
			var err error
			messages, err = r.client.XRangeN(ctx, journalKeys[0], from, to, pageEntries).Result()
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range messages {
			var e Entry
			text, _ := m.Values["entry"].(string)
			size, _ := m.Values["size"].(string)
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				return fmt.Errorf("an entry of the store is malformed: %w", err)
			}
			e.ID = m.ID
			each(&e, size)
		}
		if len(messages) < pageEntries {
			return nil
		}
		from = "(" + messages[len(messages)-1].ID
	}
}

// Entry is described at [Store].
func (r *Redis) Entry(id string) (*Entry, error) {
	if !isStreamID(id) {
		return nil, nil //nolint:nilnil // there is none with this id
	}
	r.written()
	var found *Entry
	err := r.entries(id, id, func(e *Entry, _ string) { found = e })
	return found, err
}

// Remove is described at [Store].
func (r *Redis) Remove(matches func(*Entry) bool) (int, error) {
	r.written()
	var args []any
	err := r.entries("-", "+", func(e *Entry, size string) {
		if matches(e) {
			args = append(args, e.ID, size)
		}
	})
	if err != nil {
		return 0, err
	}
	removed := 0
	for args := range slices.Chunk(args, 2*pageEntries) {
		err := r.do(func(ctx context.Context) error {
			n, err := r.run(ctx, removeScript, journalKeys, args...).Int()
			removed += n
			return err
		})
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// Dropped is described at [Store]. It counts those that were lost while the server was away.
func (r *Redis) Dropped() int64 {
	var dropped int64
	_ = r.do(func(ctx context.Context) error { // what is lost here is known anyhow
		var err error
		dropped, err = r.client.HGet(ctx, journalKeys[3], "dropped").Int64()
		return err
	})
	return dropped + r.lost.Load()
}
