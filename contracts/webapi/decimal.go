package webapi

import "github.com/seed47566266/understudy/contracts/webapi/dotnet"

var decimalConversion = conversion{
	as: readDecimal,
	fromToken: func(v *value, _ token, from *tokenValue) bool {
		if from.kind != valueDecimal {
			return false
		}
		v.present, v.decimal = true, from.decimal
		return true
	},
	fromText: func(v *value, text []byte, _ *dotnet.TimeZone) dotnet.Result {
		d, result := dotnet.ParseDecimal(text, dotnet.StyleFloat)
		if result == dotnet.OK {
			v.present, v.decimal = true, d
		}
		return result
	},
	write: func(out []byte, v *value, _ *dotnet.TimeZone) []byte { return v.decimal.AppendJSON(out) },
}
