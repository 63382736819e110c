package webapi

// unsupportedStack is the stack trace that the recorded server shows with its
// rejection of a media type; another build of the framework shows other offsets.
const unsupportedStack = "  at System.Net.Http.HttpContentExtensions.ReadAsAsync[T] (System.Net.Http.HttpContent " +
	"content, System.Type type, System.Collections.Generic.IEnumerable`1[T] formatters, " +
	"System.Net.Http.Formatting.IFormatterLogger formatterLogger, System.Threading.CancellationToken " +
	"cancellationToken) [0x00109] in <9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Net.Http.HttpContentExtensions.ReadAsAsync (System.Net.Http.HttpContent content, System.Type " +
	"type, System.Collections.Generic.IEnumerable`1[T] formatters, System.Net.Http.Formatting.IFormatterLogger " +
	"formatterLogger, System.Threading.CancellationToken cancellationToken) [0x00000] in " +
	"<9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Web.Http.ModelBinding.FormatterParameterBinding.ReadContentAsync " +
	"(System.Net.Http.HttpRequestMessage request, System.Type type, " +
	"System.Collections.Generic.IEnumerable`1[T] formatters, System.Net.Http.Formatting.IFormatterLogger " +
	"formatterLogger, System.Threading.CancellationToken cancellationToken) [0x00027] in " +
	"<ff5b3a95e4ff4c228bbd033d6519ccfa>:0 "

// encoderStack is the stack trace of the recorded server for a response that cannot be
// encoded. Its last frame is that of the program that hosted it.
const encoderStack = "  at System.Text.EncoderExceptionFallbackBuffer.Fallback (System.Char charUnknown, " +
	"System.Int32 index) [0x0001d] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.Text.EncoderFallbackBuffer.InternalFallback (System.Char ch, System.Char*& chars) [0x000fa] in " +
	"<12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.Text.UTF8Encoding.GetBytes (System.Char* chars, System.Int32 charCount, System.Byte* bytes, " +
	"System.Int32 byteCount, System.Text.EncoderNLS baseEncoder) [0x00202] in " +
	"<12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.Text.EncoderNLS.GetBytes (System.Char* chars, System.Int32 charCount, System.Byte* bytes, " +
	"System.Int32 byteCount, System.Boolean flush) [0x0006c] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.Text.EncoderNLS.GetBytes (System.Char[] chars, System.Int32 charIndex, System.Int32 charCount, " +
	"System.Byte[] bytes, System.Int32 byteIndex, System.Boolean flush) [0x000bb] in " +
	"<12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.IO.StreamWriter.Flush (System.Boolean flushStream, System.Boolean flushEncoder) [0x00066] in " +
	"<12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at System.IO.StreamWriter.Flush () [0x00006] in <12b418a7818c4ca0893feeaaf67f1e7f>:0 \n" +
	"  at Newtonsoft.Json.JsonTextWriter.Flush () [0x00000] in <8a63364d6fdf40d68f28bb4dfc19a208>:0 \n" +
	"  at System.Net.Http.Formatting.BaseJsonMediaTypeFormatter.WriteToStream (System.Type type, System.Object " +
	"value, System.IO.Stream writeStream, System.Text.Encoding effectiveEncoding) [0x0005b] in " +
	"<9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Net.Http.Formatting.JsonMediaTypeFormatter.WriteToStream (System.Type type, System.Object value, " +
	"System.IO.Stream writeStream, System.Text.Encoding effectiveEncoding) [0x0009f] in " +
	"<9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Net.Http.Formatting.BaseJsonMediaTypeFormatter.WriteToStream (System.Type type, System.Object " +
	"value, System.IO.Stream writeStream, System.Net.Http.HttpContent content) [0x0001b] in " +
	"<9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"  at System.Net.Http.Formatting.BaseJsonMediaTypeFormatter.WriteToStreamAsync (System.Type type, " +
	"System.Object value, System.IO.Stream writeStream, System.Net.Http.HttpContent content, " +
	"System.Net.TransportContext transportContext, System.Threading.CancellationToken cancellationToken) " +
	"[0x0003a] in <9598068ebfbb4e37bcec0191c0b85e94>:0 \n" +
	"--- End of stack trace from previous location where exception was thrown ---\n" +
	"\n" +
	"  at System.Net.Http.HttpContent.LoadIntoBufferAsyncCore (System.Threading.Tasks.Task serializeToStreamTask, " +
	"System.IO.MemoryStream tempBuffer) [0x000ab] in <3588d5c507ec48a6b5d13a6d5ae64da2>:0 \n" +
	"  at System.Net.Http.HttpContent.WaitAndReturnAsync[TState,TResult] (System.Threading.Tasks.Task waitTask, " +
	"TState state, System.Func`2[T,TResult] returnFunc) [0x00069] in <3588d5c507ec48a6b5d13a6d5ae64da2>:0 \n" +
	"  at Host.Handle (System.Net.HttpListenerContext ctx, System.Net.Http.HttpMessageInvoker inv) [0x00397] in " +
	"<3aded9abe5744c698e6efa35d04deeaa>:0 "
