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
 * Renders mapping templates as API Gateway does: by Apache Velocity, with the variables of "Variables for data transformations
 * for API Gateway" in the API Gateway Developer Guide. Those that no template of ours uses are not there, so a template that
 * begins to use one fails its test.
 *
 * <p>It is a server: a request is {template, body, headers, context}, and its answer {output, override} or {error}.
 */
public class Render {
    /** What API Gateway's input variable is. */
    public static class Input {
        private final DocumentContext body;
        private final Map<String, Object> params;

        Input(String body, Map<String, Object> headers) {
            // A path that leads nowhere is null, and no error.
            this.body = JsonPath.using(Configuration.builder().options(Option.SUPPRESS_EXCEPTIONS).build()).parse(body);
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

    /** What API Gateway's util variable is. */
    public static class Util {
        public String base64Encode(String text) {
            return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
        }
    }

    /** Overrides are final: the second of the same parameter is answered with a 5XX. */
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
        engine.setProperty("parser.allow_hyphen_in_identifiers", true); // as Velocity 1 did, and API Gateway does
        engine.setProperty("parser.space_gobbling", "bc"); // as Velocity 1 did
        engine.setProperty("directive.foreach.max_loops", 1000); // "Amazon API Gateway quotas"
        engine.setProperty("introspector.uberspect.class", "org.apache.velocity.util.introspection.SecureUberspector");
        // What is not there would be put out as it is written.
        engine.setProperty("runtime.strict_mode.enable", true);
        engine.init();
        return engine;
    }

    private static String answer(VelocityEngine engine, String body) {
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
        return JSONValue.toJSONString(value, JSONStyle.LT_COMPRESS); // as json-path does with objects and lists
    }

    /** Listens on a port of this machine. */
    public static void main(String[] port) throws Exception {
        // Headers and body are sent apart: without it, the second waits 40 ms for the first to be acknowledged.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        VelocityEngine engine = engine();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(port[0])), 0);
        server.createContext("/", exchange -> {
            String answer;
            try {
                answer = answer(engine, new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            } catch (RuntimeException failure) {
                answer = toJson(Map.of("error", failure.toString()));
            }
            byte[] encoded = answer.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, encoded.length);
            exchange.getResponseBody().write(encoded);
            exchange.close();
        });
        server.start();
    }
}
