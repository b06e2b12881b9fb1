package market

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/digital-spine/spine/client"
	"github.com/digital-spine/spine/gateway"
)

// modelEvery is how many rounds lie between two network models: a day.
const modelEvery = int(24 * time.Hour / Interval)

// Models returns how many network models are sent in the first so many rounds.
func Models(rounds int) int { return (rounds + modelEvery - 1) / modelEvery }

// model gives the market operator the network model of the day, as a file, in
// the first round of each day. The file is stored at the gateway once and sent
// under one key, however often the round is repeated.
func (p *Participant) model(ctx context.Context, name string, n int, start time.Time) error {
	if n%modelEvery != 1 {
		return nil
	}
	var table bytes.Buffer
	if err := WriteNetworkModel(&table, ModelRows, p.Fleet.Seed); err != nil {
		return err
	}
	file := "network-" + start.Add(sunTime).Format(time.DateOnly) + ".csv"
	id, err := p.store(ctx, file, "text/csv", table.Bytes())
	if err != nil {
		return fmt.Errorf("store %s: %w", file, err)
	}
	return p.Send(ctx, gateway.Draft{Channel: "network", File: id, IdempotencyKey: name + "-network"})
}

// store uploads content unless the gateway has it, and returns the file's id.
func (p *Participant) store(ctx context.Context, name, mediaType string, content []byte) (string, error) {
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:])
	before := ""
	for {
		list, next, err := p.Gateway.Files(ctx, client.FileFilter{Before: before, Max: 200})
		if err != nil {
			return "", err
		}
		for _, f := range list {
			if f.Name == name && f.SHA256 == hash && f.Direction != gateway.In && f.State != "uploading" {
				return f.ID, nil
			}
		}
		if before = next; before == "" {
			break
		}
	}
	f, _, err := p.Gateway.Upload(ctx, bytes.NewReader(content), int64(len(content)), client.UploadOptions{Name: name, Type: mediaType})
	if err != nil {
		return "", err
	}
	return f.ID, nil
}

// study reads a network model that was received.
func (p *Participant) study(ctx context.Context, m *gateway.Message) error {
	if m.File == nil {
		return nil
	}
	var lines lineCount
	if _, err := p.Gateway.Download(ctx, m.File.ID, &lines, client.DownloadOptions{}); err != nil {
		return fmt.Errorf("network model %s: %w", m.ID, err)
	}
	p.Log.Debug("network model", "file", m.File.ID, "lines", lines)
	p.models.Add(1)
	return nil
}

// lineCount counts the lines of what is written to it from beginning to end.
type lineCount int64

// WriteAt implements io.WriterAt.
func (l *lineCount) WriteAt(b []byte, _ int64) (int, error) {
	*l += lineCount(bytes.Count(b, []byte{'\n'}))
	return len(b), nil
}
