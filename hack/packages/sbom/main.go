// SPDX-License-Identifier: Apache-2.0

// Command sbom publishes a CycloneDX document that cyclonedx-gomod has made of a
// binary, and the same as an SPDX document.
// Usage: sbom CYCLONEDX OUTPUT, which makes OUTPUT.cdx.json and OUTPUT.spdx.json;
// SOURCE_DATE_EPOCH is the date of both.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	spdxjson "github.com/spdx/tools-golang/json"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom CYCLONEDX OUTPUT")
		os.Exit(2)
	}
	if err := publish(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func publish(from, to string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	created := time.Unix(seconds, 0).UTC().Format(time.RFC3339)
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if bom.Metadata == nil || bom.Metadata.Component == nil || bom.Components == nil {
		return fmt.Errorf("%s: says neither what it is about nor what is inside", from)
	}
	bom.Metadata.Timestamp = created

	var cyclone, spdx bytes.Buffer
	encoder := cdx.NewBOMEncoder(&cyclone, cdx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.Encode(&bom); err != nil {
		return err
	}
	document := convert(&bom, filepath.Base(to), created)
	if err := spdxjson.Write(document, &spdx, spdxjson.Indent("  ")); err != nil {
		return err
	}
	if err := os.WriteFile(to+".cdx.json", cyclone.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(to+".spdx.json", spdx.Bytes(), 0o644)
}
