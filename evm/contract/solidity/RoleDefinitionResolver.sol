// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

interface IENSOwnership {
    function owner(bytes32 node) external view returns (address);
    function isApprovedForAll(address owner, address operator) external view returns (bool);
}

interface IDomainNotifier {
    function domainUpdated(bytes32 node) external;
}

/// @title Resolver of names with role definitions
/// @notice Holds per node: addresses, texts, the dotted name, and for a role
/// its version, who may issue it, who may revoke it and which roles a holder
/// needs before. Writers are the owner of the node in the registry, operators
/// of that owner, and addresses the owner authorised here.
///
/// The records of a node belong to a generation. clearRecords begins a new
/// one, so that a name that was given up and taken again starts empty and does
/// not revive issuers of its former life.
contract RoleDefinitionResolver {
    struct Authority {
        address[] dids;
        bytes32 role;
    }

    struct Prerequisites {
        bytes32[] roles;
        bool mustHaveAll;
    }

    struct Record {
        string name;
        uint256 version;
        uint8 issuerType;
        uint8 revokerType;
        Authority issuers;
        Authority revokers;
        Prerequisites prerequisites;
        mapping(string => string) texts;
        mapping(uint256 => bytes) addresses;
    }

    uint256 private constant COIN_TYPE_ETH = 60;

    IENSOwnership private immutable registry;
    IDomainNotifier private immutable notifier;

    /// @notice node -> owner -> target: the owner lets target write the node.
    mapping(bytes32 => mapping(address => mapping(address => bool))) public authorisations;
    /// @notice The generation of a node's records.
    mapping(bytes32 => uint64) public recordVersions;
    mapping(bytes32 => mapping(uint64 => Record)) private records;

    event AddrChanged(bytes32 indexed node, address a);
    event AddressChanged(bytes32 indexed node, uint256 coinType, bytes newAddress);
    event AuthorisationChanged(bytes32 indexed node, address indexed owner, address indexed target, bool isAuthorised);
    event IssuerTypeChanged(bytes32 indexed node, uint8 newType);
    event IssuersChanged(bytes32 indexed node, Authority newIssuers);
    event NameChanged(bytes32 indexed node, string name);
    event PrerequisiteRolesChanged(bytes32 indexed node, Prerequisites newPrerequisiteRoles);
    event RevokerTypeChanged(bytes32 indexed node, uint8 newType);
    event RevokersChanged(bytes32 indexed node, Authority newRevokers);
    event TextChanged(bytes32 indexed node, string indexed indexedKey, string key);
    event VersionNumberChanged(bytes32 indexed node, uint256 newVersion);
    event VersionChanged(bytes32 indexed node, uint64 newVersion);

    /// The sender may not write the node.
    error NotAuthorised(bytes32 node, address sender);
    /// An address of coin type 60 has 20 bytes.
    error AddressLength(uint256 length);

    constructor(address ens, address domainNotifier) {
        registry = IENSOwnership(ens);
        notifier = IDomainNotifier(domainNotifier);
    }

    modifier authorised(bytes32 node) {
        address owner = registry.owner(node);
        if (
            owner != msg.sender && !authorisations[node][owner][msg.sender]
                && !registry.isApprovedForAll(owner, msg.sender)
        ) revert NotAuthorised(node, msg.sender);
        _;
    }

    function _at(bytes32 node) private view returns (Record storage) {
        return records[node][recordVersions[node]];
    }

    // ---- writing as a whole

    /// @notice Runs calls of this contract as the sender, all or none. Calls
    /// may be multicalls themselves.
    function multicall(bytes[] calldata data) external returns (bytes[] memory results) {
        results = new bytes[](data.length);
        for (uint256 i = 0; i < data.length; i++) {
            (bool ok, bytes memory result) = address(this).delegatecall(data[i]);
            if (!ok) {
                assembly ("memory-safe") {
                    revert(add(result, 0x20), mload(result))
                }
            }
            results[i] = result;
        }
    }

    /// @notice Begins a new generation: every record of the node is gone.
    function clearRecords(bytes32 node) external authorised(node) {
        emit VersionChanged(node, ++recordVersions[node]);
    }

    function setAuthorisation(bytes32 node, address target, bool isAuthorised) external {
        authorisations[node][msg.sender][target] = isAuthorised;
        emit AuthorisationChanged(node, msg.sender, target, isAuthorised);
    }

    /// @notice Announces the node to followers.
    function domainUpdated(bytes32 node) external authorised(node) {
        notifier.domainUpdated(node);
    }

    // ---- addresses, names, texts

    function setAddr(bytes32 node, address a) external {
        setAddr(node, COIN_TYPE_ETH, abi.encodePacked(a));
    }

    function setAddr(bytes32 node, uint256 coinType, bytes memory a) public authorised(node) {
        if (coinType == COIN_TYPE_ETH && a.length != 20 && a.length != 0) revert AddressLength(a.length);
        emit AddressChanged(node, coinType, a);
        if (coinType == COIN_TYPE_ETH) emit AddrChanged(node, _address(a));
        _at(node).addresses[coinType] = a;
    }

    function addr(bytes32 node) external view returns (address) {
        return _address(_at(node).addresses[COIN_TYPE_ETH]);
    }

    function addr(bytes32 node, uint256 coinType) external view returns (bytes memory) {
        return _at(node).addresses[coinType];
    }

    function _address(bytes memory a) private pure returns (address) {
        return a.length == 20 ? address(bytes20(a)) : address(0);
    }

    function setName(bytes32 node, string calldata newName) external authorised(node) {
        _at(node).name = newName;
        emit NameChanged(node, newName);
    }

    function name(bytes32 node) external view returns (string memory) {
        return _at(node).name;
    }

    function setText(bytes32 node, string calldata key, string calldata value) external authorised(node) {
        _at(node).texts[key] = value;
        emit TextChanged(node, key, key);
    }

    function text(bytes32 node, string calldata key) external view returns (string memory) {
        return _at(node).texts[key];
    }

    // ---- role definition: version

    function setVersionNumber(bytes32 node, uint256 newVersionNumber) external authorised(node) {
        _at(node).version = newVersionNumber;
        emit VersionNumberChanged(node, newVersionNumber);
    }

    function versionNumber(bytes32 node) public view returns (uint256) {
        return _at(node).version;
    }

    function versionNumbers(bytes32 node) external view returns (uint256) {
        return versionNumber(node);
    }

    // ---- role definition: who issues, by list or by role, never both

    function setIssuerDids(bytes32 node, address[] calldata dids) external authorised(node) {
        Authority storage a = _at(node).issuers;
        a.dids = dids;
        a.role = 0;
        emit IssuersChanged(node, a);
    }

    function setIssuerRole(bytes32 node, bytes32 role) external authorised(node) {
        Authority storage a = _at(node).issuers;
        delete a.dids;
        a.role = role;
        emit IssuersChanged(node, a);
    }

    function issuers(bytes32 node) external view returns (address[] memory dids, bytes32 role) {
        Authority storage a = _at(node).issuers;
        return (a.dids, a.role);
    }

    function setIssuerType(bytes32 node, uint8 newIssuerType) external authorised(node) {
        _at(node).issuerType = newIssuerType;
        emit IssuerTypeChanged(node, newIssuerType);
    }

    function issuerType(bytes32 node) public view returns (uint8) {
        return _at(node).issuerType;
    }

    function issuerTypes(bytes32 node) external view returns (uint8) {
        return issuerType(node);
    }

    // ---- role definition: who revokes

    function setRevokerDids(bytes32 node, address[] calldata dids) external authorised(node) {
        Authority storage a = _at(node).revokers;
        a.dids = dids;
        a.role = 0;
        emit RevokersChanged(node, a);
    }

    function setRevokerRole(bytes32 node, bytes32 role) external authorised(node) {
        Authority storage a = _at(node).revokers;
        delete a.dids;
        a.role = role;
        emit RevokersChanged(node, a);
    }

    function revokers(bytes32 node) external view returns (address[] memory dids, bytes32 role) {
        Authority storage a = _at(node).revokers;
        return (a.dids, a.role);
    }

    function setRevokerType(bytes32 node, uint8 newRevokerType) external authorised(node) {
        _at(node).revokerType = newRevokerType;
        emit RevokerTypeChanged(node, newRevokerType);
    }

    function revokerType(bytes32 node) public view returns (uint8) {
        return _at(node).revokerType;
    }

    function revokerTypes(bytes32 node) external view returns (uint8) {
        return revokerType(node);
    }

    // ---- role definition: what a holder needs before

    function setPrerequisiteRoles(bytes32 node, bytes32[] calldata roles, bool mustHaveAll) external authorised(node) {
        Prerequisites storage p = _at(node).prerequisites;
        p.roles = roles;
        p.mustHaveAll = mustHaveAll;
        emit PrerequisiteRolesChanged(node, p);
    }

    function prerequisiteRoles(bytes32 node) external view returns (bytes32[] memory roles, bool mustHaveAll) {
        Prerequisites storage p = _at(node).prerequisites;
        return (p.roles, p.mustHaveAll);
    }

    // ---- ERC-165: an interface here is named by the selector of its getter

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == this.supportsInterface.selector || id == 0x3b3b57de // addr
            || id == 0xf1cb7e06 // addr of a coin
            || id == this.name.selector || id == this.text.selector || id == this.versionNumber.selector
            || id == this.issuers.selector || id == this.issuerType.selector || id == this.revokers.selector
            || id == this.revokerType.selector || id == this.prerequisiteRoles.selector
            || id == this.domainUpdated.selector || id == this.recordVersions.selector;
    }
}
