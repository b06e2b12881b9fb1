package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Example writes the commented YAML file of a system: every key with its
// default, its description and its variable. cfg is a pointer to the struct.
func Example(system string, cfg any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Configuration of spine %s. Every key may also be given as a variable of the\n# environment, named SPINE_%s_<KEY>; the variable wins.\n", system, strings.ToUpper(system))
	v := reflect.ValueOf(cfg).Elem()
	if err := setDefaults(v); err != nil {
		return err.Error()
	}
	example(&b, "", v)
	return b.String()
}

func example(b *strings.Builder, indent string, v reflect.Value) {
	_ = fields(v, func(name string, sf reflect.StructField, fv reflect.Value) error {
		b.WriteString("\n")
		for _, line := range wrap(sf.Tag.Get("doc"), 90-len(indent)) {
			fmt.Fprintf(b, "%s# %s\n", indent, line)
		}
		switch {
		case fv.Kind() == reflect.Struct:
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			example(b, indent+"  ", fv)
		case fv.Kind() == reflect.Slice:
			fmt.Fprintf(b, "%s%s: []\n", indent, name)
		case fv.Kind() == reflect.String:
			fmt.Fprintf(b, "%s%s: %q\n", indent, name, fv.String())
		default:
			fmt.Fprintf(b, "%s%s: %v\n", indent, name, fv.Interface())
		}
		return nil
	})
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && len(line)+1+len(w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
