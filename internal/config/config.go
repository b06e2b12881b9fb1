// Package config reads the configuration of the spine's systems: one commented
// struct per system, filled from its defaults, a YAML file and the environment,
// in that order; and the public network file that holds the trust roots which
// all systems of a network share.
//
// It knows no system: each declares its own struct, with the tags yaml, default
// and doc on every field.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Load fills cfg, a pointer to a struct, from its default tags, the YAML file
// (none when file is ""), and variables SPINE_<SYSTEM>_<KEY>, where the key of a
// nested struct joins the names with "_". A key that the struct does not have
// is an error, in the file as in the environment.
func Load(system, file string, cfg any) error {
	if err := setDefaults(reflect.ValueOf(cfg).Elem()); err != nil {
		return err
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read configuration: %w", err)
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		if err := d.Decode(cfg); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("configuration %s: %w", file, err)
		}
	}
	prefix := "SPINE_" + strings.ToUpper(system) + "_"
	known := make(map[string]bool)
	if err := fromEnv(prefix, reflect.ValueOf(cfg).Elem(), known); err != nil {
		return err
	}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, prefix) && !known[name] {
			return fmt.Errorf("the environment names %s, which %s does not have: see spine %s --example", name, system, system)
		}
	}
	return nil
}

// fields calls f for every leaf and struct field with a yaml name.
func fields(v reflect.Value, f func(name string, sf reflect.StructField, fv reflect.Value) error) error {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		if err := f(name, sf, v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func setDefaults(v reflect.Value) error {
	return fields(v, func(name string, sf reflect.StructField, fv reflect.Value) error {
		if fv.Kind() == reflect.Struct {
			return setDefaults(fv)
		}
		if d, ok := sf.Tag.Lookup("default"); ok && fv.IsZero() {
			if err := set(fv, d); err != nil {
				return fmt.Errorf("default of %s: %w", name, err)
			}
		}
		return nil
	})
}

func fromEnv(prefix string, v reflect.Value, known map[string]bool) error {
	return fields(v, func(name string, _ reflect.StructField, fv reflect.Value) error {
		env := prefix + strings.ToUpper(name)
		if fv.Kind() == reflect.Struct {
			return fromEnv(env+"_", fv, known)
		}
		known[env] = true
		if s, ok := os.LookupEnv(env); ok {
			if err := set(fv, s); err != nil {
				// The value stays out of the message: it may be a secret.
				return fmt.Errorf("%s: not a %s", env, fv.Type())
			}
		}
		return nil
	})
}

// set parses s into v.
func set(v reflect.Value, s string) error {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(s)
		if err == nil {
			v.SetInt(int64(d))
		}
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return err
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return err
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint64:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return err
		}
		v.SetUint(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return err
		}
		v.SetFloat(n)
	case reflect.Slice:
		var parts []string
		for p := range strings.SplitSeq(s, ",") {
			if p = strings.TrimSpace(p); p != "" {
				parts = append(parts, p)
			}
		}
		v.Set(reflect.ValueOf(parts))
	default:
		return fmt.Errorf("a %s cannot be set from text", v.Type())
	}
	return nil
}
