package webapi

import "github.com/seed47566266/understudy/contracts/webapi/dotnet"

var dateConversion = conversion{
	as: readDate,
	fromToken: func(v *value, _ token, from *tokenValue) bool {
		if from.kind != valueDate {
			return false
		}
		v.present, v.date = true, from.date
		return true
	},
	fromText: func(v *value, text []byte, zone *dotnet.TimeZone) dotnet.Result {
		d, ok := dotnet.ParseDate(text, zone, false)
		if !ok {
			return dotnet.Invalid
		}
		v.present, v.date = true, d
		return dotnet.OK
	},
	write: func(out []byte, v *value, zone *dotnet.TimeZone) []byte {
		return append(v.date.AppendJSON(append(out, '"'), zone), '"')
	},
}
