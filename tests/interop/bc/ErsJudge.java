/*
 * A judge of RFC 4998 evidence records that shares no code with the archive.
 *
 * BouncyCastle alone is not sufficient: its ERSEvidenceRecord compares the data with the newest
 * chain only. So a record has to convince two parties here:
 *
 *   1. BouncyCastle's ERSEvidenceRecord (validatePresent over the data, validate over the stamps);
 *   2. this file's own walk over every chain and every stamp (RFC 4998 4.3 and 5.3), on the octets
 *      as they lie in the record, sliced and never re-encoded.
 *
 * The walk accepts a record when
 *   - the encoding is definite-length, of one piece, version 1, without encryptionInfo, and names
 *     every digest algorithm it uses in digestAlgorithms;
 *   - the first list of the first stamp of chain 1 holds the digests of the data, and (unless --part
 *     is given) nothing else: the group proof of RFC 4998 4.3;
 *   - the first list of the first stamp of each later chain holds H(H(d) || H(earlier chains)) of
 *     each datum and (unless --part) nothing else, the earlier chains being the DER of the
 *     ArchiveTimeStampSequence with all of them;
 *   - the first list of every further stamp of a chain holds the digest of the whole timeStamp
 *     ContentInfo before it;
 *   - the lists of each stamp reduce to the message imprint of its token, the algorithms being equal
 *     and the same within a chain;
 *   - each token has one signer, whose certificate is in the token, is fit for time-stamping, is named
 *     by the signing-certificate attribute and verifies the signature; and there is a path from it to a
 *     given CA at the token's genTime, with a CRL for every certificate when CRLs are given;
 *   - genTime ascends strictly over all stamps.
 *
 * usage: ErsJudge [OPTION]... RECORD DATA...      one record; exit 0 accepted, 1 rejected, 2 usage
 *        ErsJudge --batch                         one job a line on standard input: a name and the
 *                                                 arguments above, separated by tabs; exit 0 when every
 *                                                 job was judged, whatever the verdicts
 * options: --ca FILE     a trusted CA certificate (DER or PEM; repeatable)
 *          --crl FILE    a CRL (DER; repeatable); once one is given, every certificate needs one
 *          --no-path     do not build paths to a CA (public vectors of forgotten test authorities)
 *          --part        the data may be a part of the group
 *          --at INSTANT  judge as of then (ISO 8601) and not as of now
 *          --structure   leave signatures and paths out (a signature that BouncyCastle does not know, say):
 *                        judge digests, trees, imprints, order in time; BouncyCastle then judges the data alone
 *
 * One line of JSON per record on standard output:
 *   {"job":…,"accepted":…,"bouncycastle":null|reason,"walk":null|reason,"chains":[stamps per chain],
 *    "times":[…],"version":…}
 */

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.Security;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.PKIXCertPathBuilderResult;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CRL;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.ers.ERSByteData;
import org.bouncycastle.tsp.ers.ERSData;
import org.bouncycastle.tsp.ers.ERSDataGroup;
import org.bouncycastle.tsp.ers.ERSEvidenceRecord;

public final class ErsJudge {

    /** The record does not prove what it should; the message says what is wrong. */
    static final class Rejected extends Exception {
        private static final long serialVersionUID = 1L;

        Rejected(String reason) {
            super(reason);
        }
    }

    /** The job cannot be judged: it is put wrongly. */
    static final class Usage extends Exception {
        private static final long serialVersionUID = 1L;

        Usage(String reason) {
            super(reason);
        }
    }

    record Job(
            String name,
            Path record,
            List<Path> data,
            List<Path> cas,
            List<Path> crls,
            boolean path,
            boolean part,
            boolean structure,
            Instant at) {
        static Job parse(String name, List<String> arguments) throws Usage {
            List<Path> cas = new ArrayList<>();
            List<Path> crls = new ArrayList<>();
            List<Path> files = new ArrayList<>();
            boolean path = true;
            boolean part = false;
            boolean structure = false;
            Instant at = Instant.now();
            for (int i = 0; i < arguments.size(); i++) {
                String argument = arguments.get(i);
                switch (argument) {
                    case "--ca" -> cas.add(Path.of(value(arguments, ++i)));
                    case "--crl" -> crls.add(Path.of(value(arguments, ++i)));
                    case "--no-path" -> path = false;
                    case "--part" -> part = true;
                    case "--structure" -> structure = true;
                    case "--at" -> at = instant(value(arguments, ++i));
                    default -> {
                        if (argument.startsWith("--")) {
                            throw new Usage("unknown option " + argument);
                        }
                        files.add(Path.of(argument));
                    }
                }
            }
            if (files.size() < 2) {
                throw new Usage("a record and at least one data file are needed");
            }
            if (path == cas.isEmpty()) {
                throw new Usage("give either --ca or --no-path");
            }
            return new Job(
                    name, files.get(0), List.copyOf(files.subList(1, files.size())), cas, crls, path, part, structure, at);
        }

        private static Instant instant(String text) throws Usage {
            try {
                return Instant.parse(text);
            } catch (DateTimeParseException e) {
                throw new Usage("no instant: " + text);
            }
        }

        private static String value(List<String> arguments, int index) throws Usage {
            if (index >= arguments.size()) {
                throw new Usage("the last option needs a file");
            }
            return arguments.get(index);
        }
    }

    // -- octets ------------------------------------------------------------------------------------

    /** One definite-length TLV, still lying in the octets that it came in. */
    record Tlv(byte[] source, int start, int content, int end) {
        static Tlv whole(byte[] octets) throws Rejected {
            Tlv tlv = at(octets, 0, octets.length);
            if (tlv.end != octets.length) {
                throw new Rejected("octets after the end of the record");
            }
            return tlv;
        }

        static Tlv at(byte[] octets, int start, int limit) throws Rejected {
            if (limit - start < 2) {
                throw new Rejected("the encoding ends in the middle of a value");
            }
            if ((octets[start] & 0x1f) == 0x1f) {
                throw new Rejected("a tag number above 30");
            }
            int length = octets[start + 1] & 0xff;
            int content = start + 2;
            if (length == 0x80) {
                throw new Rejected("indefinite length");
            }
            if (length > 0x80) {
                int octetsOfLength = length & 0x7f;
                if (octetsOfLength > 4 || limit - content < octetsOfLength) {
                    throw new Rejected("a length that cannot be");
                }
                length = new BigInteger(1, Arrays.copyOfRange(octets, content, content + octetsOfLength)).intValue();
                content += octetsOfLength;
            }
            if (length < 0 || length > limit - content) {
                throw new Rejected("a value longer than what holds it");
            }
            return new Tlv(octets, start, content, content + length);
        }

        int tag() {
            return source[start] & 0xff;
        }

        byte[] value() {
            return Arrays.copyOfRange(source, content, end);
        }

        byte[] encoded() {
            return Arrays.copyOfRange(source, start, end);
        }

        List<Tlv> children() throws Rejected {
            List<Tlv> found = new ArrayList<>();
            for (int at = content; at < end; ) {
                Tlv child = at(source, at, end);
                found.add(child);
                at = child.end;
            }
            return found;
        }

        List<Tlv> elements(int expectedTag, String what) throws Rejected {
            if (tag() != expectedTag) {
                throw new Rejected(String.format("%s has tag 0x%02x and not 0x%02x", what, tag(), expectedTag));
            }
            return children();
        }
    }

    private static final int INTEGER = 0x02;
    private static final int OCTET_STRING = 0x04;
    private static final int SEQUENCE = 0x30;
    private static final int CONTEXT_0 = 0xa0;
    private static final int CONTEXT_1 = 0xa1;
    private static final int CONTEXT_2 = 0xa2;

    /** An ArchiveTimeStamp: the digest algorithm it names (or null), its lists (or none), its token. */
    record Stamp(String algorithm, List<List<byte[]>> lists, byte[] contentInfo) {
        static Stamp read(Tlv tlv) throws Rejected {
            List<Tlv> parts = tlv.elements(SEQUENCE, "ArchiveTimeStamp");
            String algorithm = null;
            List<List<byte[]>> lists = List.of();
            int next = 0;
            if (next < parts.size() && parts.get(next).tag() == CONTEXT_0) {
                algorithm = oid(parts.get(next++).children());
            }
            if (next < parts.size() && parts.get(next).tag() == CONTEXT_1) {
                next++;
            }
            if (next < parts.size() && parts.get(next).tag() == CONTEXT_2) {
                lists = new ArrayList<>();
                for (Tlv list : parts.get(next++).children()) {
                    List<byte[]> values = new ArrayList<>();
                    for (Tlv value : list.elements(SEQUENCE, "PartialHashtree")) {
                        if (value.tag() != OCTET_STRING) {
                            throw new Rejected("a partial hash tree holds something that is no OCTET STRING");
                        }
                        values.add(value.value());
                    }
                    if (values.isEmpty()) {
                        throw new Rejected("an empty partial hash tree");
                    }
                    lists.add(values);
                }
                if (lists.isEmpty()) {
                    throw new Rejected("an empty reduced hash tree");
                }
            }
            if (next != parts.size() - 1 || parts.get(next).tag() != SEQUENCE) {
                throw new Rejected("an ArchiveTimeStamp does not end in one timeStamp");
            }
            return new Stamp(algorithm, lists, parts.get(next).encoded());
        }
    }

    /** An EvidenceRecord as its octets have it; `chainOctets` are the chains' own encodings. */
    record Record(Set<String> algorithms, List<List<Stamp>> chains, List<byte[]> chainOctets) {
        static Record read(byte[] der) throws Rejected {
            List<Tlv> parts = Tlv.whole(der).elements(SEQUENCE, "EvidenceRecord");
            if (parts.size() < 3 || parts.get(0).tag() != INTEGER) {
                throw new Rejected("no EvidenceRecord");
            }
            if (!new BigInteger(parts.get(0).value()).equals(BigInteger.ONE)) {
                throw new Rejected("version is not 1");
            }
            Set<String> algorithms = new LinkedHashSet<>();
            for (Tlv algorithm : parts.get(1).elements(SEQUENCE, "digestAlgorithms")) {
                algorithms.add(oid(algorithm.elements(SEQUENCE, "AlgorithmIdentifier")));
            }
            int next = 2;
            if (parts.get(next).tag() == CONTEXT_0) {
                next++;
            }
            if (parts.get(next).tag() == CONTEXT_1) {
                throw new Rejected("encryptionInfo is there, and nobody here knows how to follow it");
            }
            if (next != parts.size() - 1) {
                throw new Rejected("an EvidenceRecord does not end in one archiveTimeStampSequence");
            }
            List<List<Stamp>> chains = new ArrayList<>();
            List<byte[]> octets = new ArrayList<>();
            for (Tlv chain : parts.get(next).elements(SEQUENCE, "ArchiveTimeStampSequence")) {
                List<Stamp> stamps = new ArrayList<>();
                for (Tlv stamp : chain.elements(SEQUENCE, "ArchiveTimeStampChain")) {
                    stamps.add(Stamp.read(stamp));
                }
                if (stamps.isEmpty()) {
                    throw new Rejected("an empty chain");
                }
                chains.add(stamps);
                octets.add(chain.encoded());
            }
            if (chains.isEmpty()) {
                throw new Rejected("no chain");
            }
            return new Record(algorithms, chains, octets);
        }

        /** The DER of an ArchiveTimeStampSequence holding the first `count` chains. */
        byte[] sequenceOf(int count) {
            byte[] content = concatenation(chainOctets.subList(0, count));
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.write(SEQUENCE);
            if (content.length < 0x80) {
                out.write(content.length);
            } else {
                byte[] length = BigInteger.valueOf(content.length).toByteArray();
                int skip = length[0] == 0 ? 1 : 0;
                out.write(0x80 | (length.length - skip));
                out.write(length, skip, length.length - skip);
            }
            out.writeBytes(content);
            return out.toByteArray();
        }
    }

    private static String oid(List<Tlv> algorithmIdentifier) throws Rejected {
        if (algorithmIdentifier.isEmpty()) {
            throw new Rejected("an AlgorithmIdentifier without an algorithm");
        }
        try {
            return ASN1ObjectIdentifier.getInstance(algorithmIdentifier.get(0).encoded()).getId();
        } catch (IllegalArgumentException e) {
            throw new Rejected("an AlgorithmIdentifier without an algorithm: " + e.getMessage());
        }
    }

    private static byte[] concatenation(Collection<byte[]> parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        parts.forEach(out::writeBytes);
        return out.toByteArray();
    }

    private static boolean holds(Collection<byte[]> values, byte[] wanted) {
        return values.stream().anyMatch(value -> Arrays.equals(value, wanted));
    }

    // -- the walk ----------------------------------------------------------------------------------

    static final class Walk {
        private final Job job;
        private final Record record;
        private final List<byte[]> data;
        private final Trust trust;
        final List<Instant> times = new ArrayList<>();

        Walk(Job job, Record record, List<byte[]> data, Trust trust) {
            this.job = job;
            this.record = record;
            this.data = data;
            this.trust = trust;
        }

        void verify() throws Rejected, GeneralSecurityException, IOException {
            for (int chain = 0; chain < record.chains.size(); chain++) {
                String algorithm = null;
                byte[] previous = null;
                for (int index = 0; index < record.chains.get(chain).size(); index++) {
                    Stamp stamp = record.chains.get(chain).get(index);
                    String where = "chain " + (chain + 1) + ", stamp " + (index + 1) + ": ";
                    try {
                        TimeStampToken token = token(stamp);
                        String used = digestAlgorithm(stamp, token);
                        if (algorithm != null && !algorithm.equals(used)) {
                            throw new Rejected("another digest algorithm than the chain's");
                        }
                        algorithm = used;
                        MessageDigest digest = MessageDigest.getInstance(used, "BC");
                        if (previous == null) {
                            coversData(stamp, token, digest, chain);
                        } else {
                            coversToken(stamp, token, digest, previous);
                        }
                        if (!job.structure) {
                            trust.verify(token, job.path);
                        }
                        ascending(token);
                    } catch (Rejected e) {
                        throw new Rejected(where + e.getMessage());
                    }
                    previous = stamp.contentInfo;
                }
            }
        }

        private static TimeStampToken token(Stamp stamp) throws Rejected {
            try {
                CMSSignedData signed = new CMSSignedData(stamp.contentInfo);
                if (signed.getSignerInfos().size() != 1) {
                    throw new Rejected("a token with " + signed.getSignerInfos().size() + " signers");
                }
                return new TimeStampToken(signed);
            } catch (Rejected e) {
                throw e;
            } catch (Exception e) {
                throw new Rejected("no time-stamp token: " + e.getMessage());
            }
        }

        private String digestAlgorithm(Stamp stamp, TimeStampToken token) throws Rejected {
            String imprint = token.getTimeStampInfo().getMessageImprintAlgOID().getId();
            if (stamp.algorithm != null && !stamp.algorithm.equals(imprint)) {
                throw new Rejected("digestAlgorithm is not the algorithm of the message imprint");
            }
            if (!record.algorithms.contains(imprint)) {
                throw new Rejected("digestAlgorithms does not name " + imprint);
            }
            return imprint;
        }

        /** RFC 4998 5.3, 1 and 3: the first stamp of a chain proves the data (and the earlier chains). */
        private void coversData(Stamp stamp, TimeStampToken token, MessageDigest digest, int chain) throws Rejected {
            List<byte[]> expected = new ArrayList<>();
            for (byte[] datum : data) {
                byte[] value = digest.digest(datum);
                if (chain > 0) {
                    value = digest.digest(concatenation(List.of(value, digest.digest(record.sequenceOf(chain)))));
                }
                if (holds(expected, value)) {
                    throw new Rejected("two data of the group are the same");
                }
                expected.add(value);
            }
            covers(stamp, token, digest, expected, "a datum");
            if (!job.part && !stamp.lists.isEmpty() && stamp.lists.get(0).size() != expected.size()) {
                throw new Rejected("the first list holds " + stamp.lists.get(0).size() + " digests, and the group has "
                        + expected.size() + " members");
            }
        }

        /** RFC 4998 5.3, 2: each further stamp of a chain proves the token before it. */
        private void coversToken(Stamp stamp, TimeStampToken token, MessageDigest digest, byte[] previous)
                throws Rejected {
            covers(stamp, token, digest, List.of(digest.digest(previous)), "the time-stamp before it");
        }

        /** RFC 4998 4.3: the values stand in the first list and the lists reduce to the imprint. */
        private void covers(
                Stamp stamp, TimeStampToken token, MessageDigest digest, List<byte[]> expected, String what)
                throws Rejected {
            byte[] root;
            if (stamp.lists.isEmpty()) {
                if (expected.size() != 1) {
                    throw new Rejected("without a hash tree only one value can be covered");
                }
                root = expected.get(0);
            } else {
                for (byte[] value : expected) {
                    if (!holds(stamp.lists.get(0), value)) {
                        throw new Rejected("the digest of " + what + " is not in the first list");
                    }
                }
                root = root(stamp.lists, digest);
            }
            if (!Arrays.equals(root, token.getTimeStampInfo().getMessageImprintDigest())) {
                throw new Rejected("the hash tree does not end in the message imprint");
            }
        }

        private static byte[] root(List<List<byte[]>> lists, MessageDigest digest) throws Rejected {
            byte[] node = null;
            for (List<byte[]> list : lists) {
                List<byte[]> values = new ArrayList<>(list);
                for (byte[] value : values) {
                    if (value.length != digest.getDigestLength()) {
                        throw new Rejected("a value of " + value.length + " octets in the hash tree");
                    }
                }
                if (node != null) {
                    values.add(node);
                }
                values.sort(Arrays::compareUnsigned);
                node = values.size() == 1 ? values.get(0) : digest.digest(concatenation(values));
            }
            return node;
        }

        private void ascending(TimeStampToken token) throws Rejected {
            Instant time = token.getTimeStampInfo().getGenTime().toInstant();
            if (!times.isEmpty() && !time.isAfter(times.get(times.size() - 1))) {
                throw new Rejected("not later than the stamp before it: " + time);
            }
            times.add(time);
        }
    }

    // -- trust -------------------------------------------------------------------------------------

    /** The CAs that are trusted and the CRLs that are known. */
    record Trust(Set<TrustAnchor> anchors, List<X509CRL> crls) {
        static Trust of(List<Path> cas, List<Path> crls) throws IOException, GeneralSecurityException {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            Set<TrustAnchor> anchors = new HashSet<>();
            for (Path ca : cas) {
                try (var in = Files.newInputStream(ca)) {
                    for (Certificate certificate : factory.generateCertificates(in)) {
                        anchors.add(new TrustAnchor((X509Certificate) certificate, null));
                    }
                }
            }
            List<X509CRL> lists = new ArrayList<>();
            for (Path crl : crls) {
                try (var in = Files.newInputStream(crl)) {
                    lists.add((X509CRL) factory.generateCRL(in));
                }
            }
            return new Trust(anchors, lists);
        }

        void verify(TimeStampToken token, boolean path) throws Rejected, GeneralSecurityException {
            X509CertificateHolder signer = signer(token);
            try {
                token.validate(verifier(signer));
            } catch (Exception e) {
                throw new Rejected("the token does not verify: " + e.getMessage());
            }
            if (path) {
                for (X509Certificate certificate : path(token, signer)) {
                    notRevoked(certificate);
                }
            }
        }

        private static X509CertificateHolder signer(TimeStampToken token) throws Rejected {
            @SuppressWarnings("unchecked")
            Collection<X509CertificateHolder> found = token.getCertificates().getMatches(token.getSID());
            if (found.size() != 1) {
                throw new Rejected(found.size() + " certificates of the signer in the token");
            }
            return found.iterator().next();
        }

        private List<X509Certificate> path(TimeStampToken token, X509CertificateHolder signer)
                throws Rejected, GeneralSecurityException {
            JcaX509CertificateConverter converter = new JcaX509CertificateConverter();
            List<X509Certificate> known = new ArrayList<>();
            for (X509CertificateHolder holder : token.getCertificates().getMatches(null)) {
                known.add(converter.getCertificate(holder));
            }
            X509CertSelector target = new X509CertSelector();
            target.setCertificate(converter.getCertificate(signer));
            PKIXBuilderParameters parameters = new PKIXBuilderParameters(anchors, target);
            parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(known)));
            parameters.setDate(Date.from(token.getTimeStampInfo().getGenTime().toInstant()));
            parameters.setRevocationEnabled(false);
            try {
                var result = (PKIXCertPathBuilderResult) CertPathBuilder.getInstance("PKIX", "SUN").build(parameters);
                List<X509Certificate> path = new ArrayList<>();
                for (Certificate certificate : result.getCertPath().getCertificates()) {
                    path.add((X509Certificate) certificate);
                }
                return path;
            } catch (CertPathBuilderException e) {
                throw new Rejected("no path to a given CA: " + e.getMessage());
            }
        }

        private void notRevoked(X509Certificate certificate) throws Rejected {
            if (crls.isEmpty()) {
                return;
            }
            boolean covered = false;
            for (X509CRL crl : crls) {
                if (!crl.getIssuerX500Principal().equals(certificate.getIssuerX500Principal())) {
                    continue;
                }
                if (!signedByAnAnchor(crl)) {
                    throw new Rejected("a CRL that no given CA has signed");
                }
                if (crl.isRevoked(certificate)) {
                    throw new Rejected("revoked: " + certificate.getSubjectX500Principal());
                }
                covered = true;
            }
            if (!covered) {
                throw new Rejected("no CRL for " + certificate.getSubjectX500Principal());
            }
        }

        private boolean signedByAnAnchor(X509CRL crl) {
            for (TrustAnchor anchor : anchors) {
                try {
                    crl.verify(anchor.getTrustedCert().getPublicKey());
                    return true;
                } catch (GeneralSecurityException e) {
                    continue; // another anchor may have signed it
                }
            }
            return false;
        }
    }

    private static SignerInformationVerifier verifier(X509CertificateHolder certificate) throws Exception {
        return new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(certificate);
    }

    // -- BouncyCastle's own opinion ----------------------------------------------------------------

    private static void askBouncyCastle(Job job, byte[] der, List<byte[]> data) throws Rejected {
        try {
            DigestCalculatorProvider digests = new JcaDigestCalculatorProviderBuilder().setProvider("BC").build();
            ERSEvidenceRecord record = new ERSEvidenceRecord(der, digests);
            List<ERSData> members = new ArrayList<>();
            for (byte[] datum : data) {
                members.add(new ERSByteData(datum));
            }
            Date now = Date.from(job.at);
            if (members.size() > 1 && !job.part) {
                record.validatePresent(new ERSDataGroup(members), now);
            } else {
                for (ERSData member : members) {
                    record.validatePresent(member, now);
                }
            }
            if (!job.structure) {
                record.validate(verifier(record.getSigningCertificate()));
            }
        } catch (Exception e) {
            throw new Rejected(e.getMessage() == null ? e.toString() : e.getMessage());
        }
    }

    // -- judging -----------------------------------------------------------------------------------

    private static boolean judge(Job job, PrintStream out) throws IOException, GeneralSecurityException {
        byte[] der = Files.readAllBytes(job.record);
        List<byte[]> data = new ArrayList<>();
        for (Path path : job.data) {
            data.add(Files.readAllBytes(path));
        }
        String bouncycastle = null;
        String walk = null;
        List<Integer> chains = new ArrayList<>();
        List<Instant> times = List.of();
        try {
            askBouncyCastle(job, der, data);
        } catch (Rejected e) {
            bouncycastle = e.getMessage();
        }
        try {
            Record record = Record.read(der);
            record.chains.forEach(chain -> chains.add(chain.size()));
            Walk walking = new Walk(job, record, data, Trust.of(job.cas, job.crls));
            times = walking.times;
            walking.verify();
        } catch (Rejected e) {
            walk = e.getMessage();
        }
        boolean accepted = bouncycastle == null && walk == null;
        StringBuilder json = new StringBuilder();
        json.append("{\"job\":").append(quoted(job.name)).append(",\"accepted\":").append(accepted);
        json.append(",\"bouncycastle\":").append(quoted(bouncycastle)).append(",\"walk\":").append(quoted(walk));
        json.append(",\"chains\":").append(chains).append(",\"times\":[");
        for (int i = 0; i < times.size(); i++) {
            json.append(i == 0 ? "" : ",").append(quoted(times.get(i).toString()));
        }
        json.append("],\"version\":").append(quoted(version())).append('}');
        out.println(json);
        return accepted;
    }

    private static String version() {
        String pkix = TimeStampToken.class.getPackage().getImplementationVersion();
        return "bcprov " + Security.getProvider("BC").getVersionStr() + ", bcpkix " + pkix;
    }

    private static String quoted(String text) {
        if (text == null) {
            return "null";
        }
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        try {
            if (arguments.length == 1 && arguments[0].equals("--batch")) {
                var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                    List<String> fields = List.of(line.split("\t"));
                    judge(Job.parse(fields.get(0), fields.subList(1, fields.size())), out);
                }
                return;
            }
            Job job = Job.parse("record", List.of(arguments));
            System.exit(judge(job, out) ? 0 : 1);
        } catch (Usage | IOException e) {
            System.err.println("ErsJudge: " + e.getMessage());
            System.exit(2);
        }
    }
}
