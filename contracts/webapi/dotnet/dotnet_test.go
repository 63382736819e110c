package dotnet_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed47566266/understudy/contracts/webapi/dotnet"
)

// The expected values of these tables are .NET's documented behaviour; how it all fits
// together is tested by the recordings in package webapi.

func TestAGUIDIsReadInFiveForms(t *testing.T) {
	const text = "84ef7a81-c643-4b8e-85e5-1ff52fc35f3d"
	for name, spelling := range map[string]string{
		"N":                            "84ef7a81c6434b8e85e51ff52fc35f3d",
		"D":                            "84EF7A81-C643-4B8E-85E5-1FF52FC35F3D",
		"B":                            "{84ef7a81-c643-4b8e-85e5-1ff52fc35f3d}",
		"P":                            "(84ef7a81-c643-4b8e-85e5-1ff52fc35f3d)",
		"X":                            "{0x84ef7a81,0xc643,0x4b8e,{0x85,0xe5,0x1f,0xf5,0x2f,0xc3,0x5f,0x3d}}",
		"D with white space around it": " 84ef7a81-c643-4b8e-85e5-1ff52fc35f3d\t",
	} {
		g, result := dotnet.ParseGUID([]byte(spelling))
		require.Equal(t, dotnet.OK, result, name)
		assert.Equal(t, text, string(g.Append(nil)), name)
	}
	for _, spelling := range []string{"", "x", text[1:], "{" + text, "{" + text + ")", "urn:uuid:" + text} {
		_, result := dotnet.ParseGUID([]byte(spelling))
		assert.NotEqual(t, dotnet.OK, result, "%q", spelling)
	}
}

func TestADecimalKeepsItsDigitsUpTo96Bits(t *testing.T) {
	for text, written := range map[string]string{
		"5": "5", "5.00": "5.00", "-0.10": "-0.10", "1,234.5": "1234.5", " 7 ": "7",
		"79228162514264337593543950335": "79228162514264337593543950335", // decimal.MaxValue
	} {
		d, result := dotnet.ParseDecimal([]byte(text), dotnet.StyleNumber)
		require.Equal(t, dotnet.OK, result, text)
		assert.Equal(t, written, string(d.Append(nil)), text)
	}
	_, result := dotnet.ParseDecimal([]byte("79228162514264337593543950336"), dotnet.StyleNumber)
	assert.Equal(t, dotnet.Overflow, result)
	_, result = dotnet.ParseDecimal([]byte("1.5.2"), dotnet.StyleNumber)
	assert.Equal(t, dotnet.Invalid, result)
	assert.Equal(t, "5.0", string(dotnet.DecimalOf(5).AppendJSON(nil)), "Json.NET writes a point always")
}

func TestAnIntegerHas32Bits(t *testing.T) {
	for text, expected := range map[string]int32{"2147483647": 1<<31 - 1, "-2147483648": -1 << 31, " +7 ": 7} {
		i, result := dotnet.ParseInt32([]byte(text))
		require.Equal(t, dotnet.OK, result, text)
		assert.Equal(t, expected, i, text)
	}
	_, result := dotnet.ParseInt32([]byte("2147483648"))
	assert.Equal(t, dotnet.Overflow, result)
	_, result = dotnet.ParseInt32([]byte("1.0"))
	assert.Equal(t, dotnet.Invalid, result)
}

func TestADateIsReadInTheInvariantCulture(t *testing.T) {
	chicago, err := dotnet.LoadTimeZone("America/Chicago")
	require.NoError(t, err)
	for text, written := range map[string]string{
		"02/03/2026":                "2026-02-03T00:00:00",
		"3 Feb 2026":                "2026-02-03T00:00:00",
		"2026-02-03T10:30:00Z":      "2026-02-03T04:30:00-06:00",
		"2026-07-03T10:30:00+02:00": "2026-07-03T03:30:00-05:00", // in summer
	} {
		d, ok := dotnet.ParseDate([]byte(text), chicago, false)
		require.True(t, ok, text)
		assert.Equal(t, written, string(d.AppendJSON(nil, chicago)), text)
	}
	for _, text := range []string{"", "2026-02-30", "tomorrow", "13/13/2026"} {
		_, ok := dotnet.ParseDate([]byte(text), chicago, false)
		assert.False(t, ok, text)
	}
}

func TestTextIsCountedAndDecodedAsDotNetDoes(t *testing.T) {
	assert.Equal(t, 4, dotnet.UTF16Length([]byte("aé😀")), "a character outside the BMP is two units")
	assert.Equal(t, "a b c%zz", dotnet.DecodeForm([]byte("a+b%20c%zz")), "a malformed escape stays")
	assert.Equal(t, "0.1", dotnet.FormatDouble(0.1))
	assert.Equal(t, "1E+15", dotnet.FormatDouble(1e15))
}

func FuzzValues(f *testing.F) {
	zone, err := dotnet.LoadTimeZone("America/Chicago")
	require.NoError(f, err)
	for _, text := range []string{
		"3 Feb 2026 10:30 PM", "2026-02-03T10:30:00.5-06:00E", "1,234.5e3", "{0x1,2,3,{4}}", "\xff", "/Date(1-0600)/",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if d, ok := dotnet.ParseDate(text, zone, false); ok {
			_, again := dotnet.ParseJSONDate(d.AppendJSON(nil, zone), zone)
			require.True(t, again, "what was written is read again: %q", text)
		}
		if d, result := dotnet.ParseDecimal(text, dotnet.StyleNumber); result == dotnet.OK {
			again, result := dotnet.ParseDecimal(d.Append(nil), dotnet.StyleNumber)
			require.Equal(t, dotnet.OK, result, "%q", text)
			require.Equal(t, string(d.Append(nil)), string(again.Append(nil)), "%q; minus zero is written as 0", text)
		}
		if g, result := dotnet.ParseGUID(text); result == dotnet.OK {
			again, result := dotnet.ParseGUID(g.Append(nil))
			require.Equal(t, dotnet.OK, result, "%q", text)
			require.Equal(t, g, again, "%q", text)
		}
		_, _ = dotnet.ConvertInt32(text)
		_ = dotnet.DecodeForm(text)
	})
}
