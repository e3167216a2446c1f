import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.DocumentContext;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.Option;
import com.sun.net.httpserver.HttpServer;
import java.io.StringWriter;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import net.minidev.json.JSONStyle;
import net.minidev.json.JSONValue;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;

/**
 * Renders mapping templates like API Gateway: with Apache Velocity and the variables of "Variables
 * for data transformations for API Gateway" in the API Gateway Developer Guide. Variables that no
 * template of ours uses are not implemented, so a template that starts to use one fails its test.
 *
 * <p>Render is a server: a request is {template, body, headers, context}, its response {output,
 * override} or {error}.
 */
public class Render {
    /** API Gateway's $input variable. */
    public static class Input {
        private final DocumentContext body;
        private final Map<String, Object> params;

        Input(String body, Map<String, Object> headers) {
            // A path without a match is null, not an error.
            Configuration configuration =
                    Configuration.builder().options(Option.SUPPRESS_EXCEPTIONS).build();
            this.body = JsonPath.using(configuration).parse(body);
            this.params = Map.of("header", headers, "path", Map.of(), "querystring", Map.of());
        }

        public Object path(String path) {
            return body.read(path);
        }

        public String json(String path) {
            Object found = body.read(path);
            return found == null ? "" : toJson(found);
        }

        public Map<String, Object> params() {
            return params;
        }
    }

    /** API Gateway's $util variable. */
    public static class Util {
        public String base64Encode(String text) {
            return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
        }
    }

    /** Overrides are final: a second override of the same parameter causes a 5XX response. */
    public static class Overrides extends HashMap<String, Object> {
        @Override
        public Object put(String name, Object value) {
            if (containsKey(name)) {
                throw new IllegalStateException(name + " is overridden twice");
            }
            return super.put(name, value);
        }
    }

    private static VelocityEngine engine() {
        VelocityEngine engine = new VelocityEngine();
        // As in Velocity 1 and API Gateway.
        engine.setProperty("parser.allow_hyphen_in_identifiers", true);
        engine.setProperty("parser.space_gobbling", "bc"); // as in Velocity 1
        engine.setProperty("directive.foreach.max_loops", 1000); // "Amazon API Gateway quotas"
        engine.setProperty(
                "introspector.uberspect.class",
                "org.apache.velocity.util.introspection.SecureUberspector");
        // Without strict mode, Velocity prints an undefined reference as it is written.
        engine.setProperty("runtime.strict_mode.enable", true);
        engine.init();
        return engine;
    }

    private static String render(VelocityEngine engine, String body) {
        Map<String, Object> request = JsonPath.parse(body).json();
        Map<String, Object> override = new Overrides();
        Map<String, Object> headers = new Overrides();
        override.put("header", headers);
        @SuppressWarnings("unchecked")
        Map<String, Object> context = (Map<String, Object>) request.get("context");
        context.put("responseOverride", override);
        @SuppressWarnings("unchecked")
        Map<String, Object> sent = (Map<String, Object>) request.get("headers");
        VelocityContext variables = new VelocityContext();
        variables.put("input", new Input((String) request.get("body"), sent));
        variables.put("util", new Util());
        variables.put("context", context);
        StringWriter output = new StringWriter();
        engine.evaluate(variables, output, "template", (String) request.get("template"));
        return toJson(Map.of("output", output.toString(), "override", override));
    }

    private static String toJson(Object value) {
        // like json-path for objects and lists
        return JSONValue.toJSONString(value, JSONStyle.LT_COMPRESS);
    }

    /** Listens on a port of 127.0.0.1. */
    public static void main(String[] port) throws Exception {
        // Headers and body are sent in separate packets: without nodelay, the second waits 40 ms
        // for the acknowledgement of the first.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        VelocityEngine engine = engine();
        InetSocketAddress address = new InetSocketAddress("127.0.0.1", Integer.parseInt(port[0]));
        HttpServer server = HttpServer.create(address, 0);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            String response;
            try {
                response = render(engine, new String(body, StandardCharsets.UTF_8));
            } catch (RuntimeException failure) {
                response = toJson(Map.of("error", failure.toString()));
            }
            byte[] encoded = response.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, encoded.length);
            exchange.getResponseBody().write(encoded);
            exchange.close();
        });
        server.start();
    }
}
